//! The signed head of the audit chain: a route returns it, the log gets it every hour, and `taosd check --head`
//! compares it with a database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::access::BoxKey;
use crate::store::audit_head::{self as rows, AuditHead};
use crate::store::{self, Store};
use crate::time::Micros;

/// How often the head is written to the log, if it has changed.
const PERIOD: Duration = Duration::from_secs(3600);
/// The beginning of the log line.
const LINE: &str = "audit head ";

/// The head of the audit chain with a signature of the box's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// The sequence number of the last row.
    pub seq: i64,
    /// The hash of that row, hexadecimal.
    pub hash: String,
    /// When it was signed, RFC 3339.
    pub at: String,
    /// The id of the key that signed it.
    pub key_id: String,
    /// The Ed25519 signature of [`SignedHead::text`], base64url.
    pub signature: String,
}

impl SignedHead {
    /// Signs a head.
    pub fn of(head: &AuditHead, key: &BoxKey, now: Micros) -> Self {
        let unsigned = Self {
            seq: head.seq,
            hash: head.hash.clone(),
            at: now.millis(),
            key_id: key.id(),
            signature: String::new(),
        };
        let signature = key.sign(&unsigned.text(&head.install_id));
        Self { signature, ..unsigned }
    }

    /// The signed text. Its lines are the kind of text, the installation's id, sequence number, hash and time.
    pub fn text(&self, install_id: &str) -> String {
        format!("taosd audit head 1\n{install_id}\n{}\n{}\n{}\n", self.seq, self.hash, self.at)
    }

    /// Finds the last head in a text, which is the route's reply or lines of the log.
    pub fn find(text: &str) -> Option<Self> {
        let whole = serde_json::from_str(text.trim()).ok();
        whole.or_else(|| text.lines().rev().find_map(|line| serde_json::from_str(line.get(line.find('{')?..)?).ok()))
    }
}

/// Signs the present head; `None` if the chain is empty.
///
/// # Errors
/// Any `StoreError`.
pub fn signed(store: &Store, key: &BoxKey) -> store::Result<Option<SignedHead>> {
    Ok(store.lookup(rows::head)?.map(|head| SignedHead::of(&head, key, Micros::now())))
}

/// Writes the head to the log: at the start, every hour if it has changed, and at the stop.
pub struct HeadLogger {
    store: Arc<Store>,
    key: Arc<BoxKey>,
    told: Option<(Instant, i64)>,
}

impl HeadLogger {
    /// A logger for this store that signs with this key.
    pub fn new(store: Arc<Store>, key: Arc<BoxKey>) -> Self {
        Self { store, key, told: None }
    }

    /// Writes the head if it is due, or if `last` and it has changed.
    pub fn turn(&mut self, last: bool) {
        let is_due = self.told.is_none_or(|(at, _)| at.elapsed() >= PERIOD);
        if !is_due && !last {
            return;
        }
        let head = match signed(&self.store, &self.key) {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(error) => return log::warn!("the head of the audit could not be read: {error}"),
        };
        if self.told.is_some_and(|(_, seq)| seq == head.seq) {
            return;
        }
        match serde_json::to_string(&head) {
            Ok(text) => log::info!("{LINE}{text}"),
            Err(error) => log::warn!("the head of the audit could not be written: {error}"),
        }
        self.told = Some((Instant::now(), head.seq));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = r#"{"seq":7,"hash":"ab","at":"t","key_id":"k","signature":"s"}"#;

    #[test]
    fn a_head_is_found_in_a_reply_and_in_the_log() {
        let seq = |text: &str| SignedHead::find(text).map(|head| head.seq);
        assert_eq!(seq(HEAD), Some(7));
        assert_eq!(seq(&format!("{}\n", HEAD.replace(',', ",\n"))), Some(7));
        let later = HEAD.replace('7', "9");
        let log =
            format!("2026 INFO taosd: audit head {HEAD}\n2026 INFO taosd: audit head {later}\n2026 INFO stopped\n");
        assert_eq!(seq(&log), Some(9));
        for none in ["", "{", "{}", "audit head", r#"{"seq":"7"}"#] {
            assert_eq!(seq(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[{}a-z0-9é\":, \\n]{0,200}") {
            let _ = SignedHead::find(&text);
        }
    }
}
