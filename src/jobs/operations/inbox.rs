//! The file in a running container that changes whenever there is news for its agent (workspace contract, section 4).

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Jobs, OperationError, lifecycle, within};
use crate::containers::{ContainerPath, FileSpec};
use crate::store::agents::{self, AgentStatus};
use crate::store::news;

/// The path of the file. It has one line: the number of news so far.
const FILE: &str = "/run/taos/inbox";
/// Seconds for writing the file.
const CALL: u64 = 10;

/// Writes the file of an agent whose container runs. A failed write is only logged: the messages themselves are safe.
pub fn write(jobs: &Arc<Jobs>, agent_id: &str) {
    if let Err(error) = put(jobs, agent_id) {
        log::debug!("{FILE} of agent {agent_id} could not be written: {error}");
    }
}

fn put(jobs: &Arc<Jobs>, agent_id: &str) -> Result<(), OperationError> {
    let (live, count) = jobs
        .store
        .lookup(|conn| crate::store::Result::Ok((agents::by_id(conn, agent_id)?, news::count(conn, agent_id)?)))?;
    let Some(agent) = live.map(|live| live.agent) else { return Ok(()) };
    let runs = agent.status == AgentStatus::Running && !agent.paused && agent.asleep_at.is_none();
    if !runs || agent.container_name.is_none() {
        return Ok(());
    }
    let path = ContainerPath::parse(FILE).map_err(|why| OperationError::Internal(why.to_string()))?;
    let content = Zeroizing::new(format!("{count}\n").into_bytes());
    let file = FileSpec { path, content, mode: 0o444, uid: 0, gid: 0 };
    let (name, driver) = lifecycle::own_container(jobs, &agent)?;
    Ok(driver.write_file(&name, &file, within(CALL))?)
}
