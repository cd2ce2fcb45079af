//! `taosd check --head`: checks whether the audit of a database continues from an audit head that was printed earlier.

use std::fs;
use std::path::Path;

use crate::access::BoxKey;
use crate::daemon::DaemonError;
use crate::jobs::upkeep::audit_head::SignedHead;
use crate::store::{self, CheckFinding, audit_head, meta};

/// Bytes of a file with a head. A log file can be long.
const MAX_FILE: u64 = 64 << 20;

/// Reads the argument of `--head`: the head itself, or a file that contains it.
///
/// # Errors
/// The argument or the file contains no head, or the file cannot be read or is larger than 64 MiB.
pub fn asked(argument: &str) -> Result<SignedHead, DaemonError> {
    let none = |what: &str| {
        DaemonError::Failed(format!(
            "{what} holds no head of an audit; give what `taosctl audit head --json` prints, or a file with it"
        ))
    };
    if argument.trim_start().starts_with('{') {
        return SignedHead::find(argument).ok_or_else(|| none("--head"));
    }
    let io = |error| DaemonError::Io(argument.to_owned(), error);
    if fs::metadata(argument).map_err(io)?.len() > MAX_FILE {
        return Err(DaemonError::Failed(format!(
            "{argument} is larger than {MAX_FILE} bytes; cut out the line with the head"
        )));
    }
    let bytes = fs::read(argument).map_err(io)?;
    SignedHead::find(&String::from_utf8_lossy(&bytes)).ok_or_else(|| none(argument))
}

/// Compares a head with the database. The box's key is expected in the data directory.
pub fn look(path: &Path, data_dir: &Path, head: &SignedHead) -> Vec<CheckFinding> {
    let finding = |name, result| CheckFinding { name, result };
    let told = |error: store::StoreError| Err(error.to_string());
    let install_id = store::look(path, |conn| meta::get(conn, meta::INSTALL_ID));
    let follows = store::look(path, |conn| audit_head::follows(conn, head.seq, &head.hash)).unwrap_or_else(told);
    let signed = match install_id {
        Ok(id) => signature(data_dir, head, &id.unwrap_or_default()),
        Err(error) => told(error),
    };
    vec![finding("head's signature", signed), finding("audit from the head on", follows)]
}

fn signature(data_dir: &Path, head: &SignedHead, install_id: &str) -> Result<String, String> {
    let key = match BoxKey::read(data_dir) {
        Ok(Some(key)) => key,
        Ok(None) => return Ok(format!("not checked, {} has no box.key", data_dir.display())),
        Err(error) => return Err(format!("box.key: {error}")),
    };
    if key.id() != head.key_id {
        return Err(format!("made with the key {}, and this box has {}", head.key_id, key.id()));
    }
    if key.verifies(&head.text(install_id), &head.signature) {
        return Ok(format!("made with this box's key {}, {}", head.key_id, head.at));
    }
    Err("the head was altered, or is of another installation".into())
}
