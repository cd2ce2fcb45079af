//! What is kept of calls: uses of credentials and denials, both collected first, so that nobody wears out the disk.

use std::sync::Arc;

use hyper::http::StatusCode;

use super::caller::Caller;
use super::gate::Gate;
use crate::rest::action::Action;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::head::Head;
use crate::secret::redacted;
use crate::store::{audit, credentials};
use crate::time::Micros;

impl Gate {
    /// Notes that the credential was used, by whom and from where.
    pub(super) fn note(&self, head: &Head, caller: &Caller) -> Result<(), ApiError> {
        let Some(known) = caller.fingerprints() else { return Ok(()) };
        let now = Micros::now();
        self.last_used.note(known.credential_id, now);
        if let Some(agent) = caller.agent_id() {
            self.presence.note(agent, now);
        }
        let Some((surprise, worth_telling)) = self.fingerprints.note(head, known, now) else { return Ok(()) };
        let denies = self.fingerprints.denies();
        if worth_telling {
            self.record(vec![audit::AuditEntry {
                at: now,
                actor: caller.audited(),
                action: surprise.event().to_owned(),
                resource: format!("credential:{}", known.credential_id),
                outcome: if denies { audit::AuditOutcome::Denied } else { audit::AuditOutcome::Ok },
                count: 1,
                request_id: head.request_id.clone(),
            }]);
        }
        if denies { Err(ApiError::new(codes::FINGERPRINT_MISMATCH).with_status(403)) } else { Ok(()) }
    }

    /// Records a denial, aggregated.
    pub(super) fn deny(&self, key: &str, actor: audit::Actor, action: Action, head: &Head) {
        self.record(self.denials.note(key, entry(actor, action, head)));
    }

    /// Records that a caller was denied, aggregated.
    pub fn deny_caller(&self, caller: &Caller, action: Action, head: &Head) {
        self.deny(&key_of(caller), caller.audited(), action, head);
    }

    /// Watches over an admitted call, so that a refusal by its handler is recorded as well.
    pub fn watch(self: &Arc<Self>, caller: &Caller, action: Action, head: &Head) -> Watch {
        Watch { gate: Arc::clone(self), key: key_of(caller), entry: entry(caller.audited(), action, head) }
    }

    /// Writes what is due: uses of credentials and counts of denials. `all`: also the running minutes.
    pub fn flush(&self, all: bool) {
        self.record(self.denials.take(Micros::now(), all));
        self.record(self.repeats.take(Micros::now(), all));
        let (uses, fingerprints) = (self.last_used.take(), self.fingerprints.take(Micros::now()));
        if uses.is_empty() && fingerprints.is_empty() {
            return;
        }
        let written = self.store.write_light({
            let (uses, fingerprints) = (uses.clone(), fingerprints.clone());
            move |conn| {
                credentials::touch(conn, &uses)?;
                credentials::add_fingerprints(conn, &fingerprints)
            }
        });
        if let Err(error) = written {
            log::warn!("the times of last use could not be written, trying again later: {error}");
            self.last_used.put_back(uses);
            self.fingerprints.put_back(fingerprints);
        }
    }

    fn record(&self, entries: Vec<audit::AuditEntry>) {
        if entries.is_empty() {
            return;
        }
        self.store.submit(
            move |conn| entries.iter().try_for_each(|entry| audit::append(conn, entry)),
            |written| {
                if let Err(error) = written {
                    log::error!("denials could not be recorded: {error}");
                }
            },
        );
    }
}

/// What an admitted call is recorded as if its handler refuses it.
pub struct Watch {
    gate: Arc<Gate>,
    key: String,
    entry: audit::AuditEntry,
}

impl Watch {
    /// The gate that let the caller in.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// True if this fact was recorded in the running minute: the next is counted instead.
    pub fn is_repeat(&self, key: &str, entry: &audit::AuditEntry) -> bool {
        self.gate.repeats.is_running(key, &entry.action, entry.at)
    }

    /// Notes facts that are on disk by now, each with whether it has a row of its own.
    pub fn settle(&self, facts: Vec<(String, audit::AuditEntry, bool)>) {
        let due = facts.into_iter().filter_map(|(key, entry, own)| self.gate.repeats.settle(&key, entry, own));
        self.gate.record(due.collect());
    }

    /// Records the refusal if it is one for want of rights: a role, a grant or a scope.
    pub fn saw(&self, error: &ApiError) {
        if error.status() == StatusCode::FORBIDDEN {
            let entry = audit::AuditEntry { at: Micros::now(), ..self.entry.clone() };
            self.gate.record(self.gate.denials.note(&self.key, entry));
        }
    }
}

/// What denials are counted by: the credential; on the operator's socket, which needs none, the principal.
fn key_of(caller: &Caller) -> String {
    caller.credential_id().map_or_else(|| caller.actor(), str::to_owned)
}

fn entry(actor: audit::Actor, action: Action, head: &Head) -> audit::AuditEntry {
    audit::AuditEntry {
        at: Micros::now(),
        actor,
        action: action.slug().to_owned(),
        resource: format!("{} {}", head.method, redacted(&head.raw_path).chars().take(256).collect::<String>()),
        outcome: audit::AuditOutcome::Denied,
        count: 1,
        request_id: head.request_id.clone(),
    }
}
