//! The record of calls: uses of credentials and denials. Both are collected in memory first, so that nobody can wear
//! out the disk.

use std::sync::Arc;

use hyper::http::StatusCode;

use super::allowance::Allowance;
use super::caller::Caller;
use super::denials::Denials;
use super::fingerprints::Fingerprints;
use super::hint;
use super::last_used::LastUsed;
use super::presence::Presence;
use super::used_from::UsedFrom;
use crate::rest::action::Action;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::head::Head;
use crate::secret::redacted;
use crate::store::{Store, agents, audit, credentials};
use crate::time::Micros;

/// The observations of calls that are not on disk yet.
pub(super) struct CallRecord {
    store: Arc<Store>,
    last_used: LastUsed,
    denials: Denials,
    /// Facts that the same principal repeats, for the audit.
    repeats: Denials,
    /// The fingerprints of clients that used credentials.
    pub(super) fingerprints: Fingerprints,
    /// Which agents were seen lately.
    pub(super) presence: Arc<Presence>,
    /// From where people's credentials were last used.
    pub(super) used_from: Arc<UsedFrom>,
}

impl CallRecord {
    /// A record with nothing in it yet.
    pub(super) fn new(store: Arc<Store>, fingerprints: Fingerprints) -> Self {
        Self {
            store,
            fingerprints,
            last_used: LastUsed::default(),
            denials: Denials::default(),
            repeats: Denials::default(),
            presence: Arc::default(),
            used_from: Arc::default(),
        }
    }

    /// Records that a credential was used, and nothing else about the request.
    pub(super) fn used(&self, credential_id: &str) {
        self.last_used.note(credential_id, Micros::now());
    }

    /// Records that the credential was used, by whom and from where. Refuses the request if its fingerprint is
    /// unexpected and the policy says deny.
    pub(super) fn note(&self, head: &Head, caller: &Caller) -> Result<(), ApiError> {
        let Some(known) = caller.fingerprints() else { return Ok(()) };
        let now = Micros::now();
        self.last_used.note(known.credential_id, now);
        match caller.agent_id() {
            // A request to an agent does not show that the agent is there.
            Some(_) if caller.is_external() => {}
            Some(agent) => self.presence.note(agent, now),
            None => self.used_from.note(known.credential_id, head),
        }
        let Some((surprise, worth_telling)) = self.fingerprints.note(head, known, now) else { return Ok(()) };
        let denies = self.fingerprints.denies();
        if worth_telling {
            self.record(vec![
                audit::AuditEntry::new(
                    caller.audited(),
                    surprise.event(),
                    format!("credential:{}", known.credential_id),
                    head.request_id.clone(),
                )
                .at(now)
                .ended(if denies { audit::AuditOutcome::Denied } else { audit::AuditOutcome::Ok }),
            ]);
        }
        if denies { Err(ApiError::new(codes::FINGERPRINT_MISMATCH).with_status(403)) } else { Ok(()) }
    }

    /// Records a denial; denials are aggregated.
    pub(super) fn deny(&self, key: &str, actor: audit::Actor, action: Action, head: &Head) {
        self.record(self.denials.note(key, entry(actor, action, head)));
    }

    /// Records that a caller was denied; denials are aggregated.
    pub(super) fn deny_caller(&self, caller: &Caller, action: Action, head: &Head) {
        self.deny(&key_of(caller), caller.audited(), action, head);
    }

    /// Writes what is due: uses of credentials and counts of denials. `all`: also of the minutes that still run.
    pub(super) fn flush(&self, all: bool) {
        self.forget_gone_agents();
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

    /// Forgets the presence of purged agents, so that the table stays bounded.
    fn forget_gone_agents(&self) {
        let Some(crowd) = self.presence.crowd() else { return };
        match self.store.lookup(|conn| agents::gone_of(conn, crowd)) {
            Ok(gone) => self.presence.forget(&gone),
            Err(error) => log::warn!("which agents are gone could not be read: {error}"),
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

/// The audit entry to record if the handler of an admitted call refuses it.
pub struct CallWatch {
    record: Arc<CallRecord>,
    allowance: Arc<Allowance>,
    key: String,
    entry: audit::AuditEntry,
    is_agent: bool,
}

impl CallWatch {
    /// Begins to watch an admitted call.
    pub(super) fn new(
        record: Arc<CallRecord>,
        allowance: Arc<Allowance>,
        caller: &Caller,
        action: Action,
        head: &Head,
    ) -> Self {
        let is_agent = caller.agent_id().is_some();
        Self { record, allowance, key: key_of(caller), entry: entry(caller.audited(), action, head), is_agent }
    }

    /// The allowance that the call's writes are charged to.
    pub fn allowance(&self) -> &Allowance {
        &self.allowance
    }

    /// True if this fact was already recorded in the running minute, so that the next one is only counted.
    pub fn is_repeat(&self, key: &str, entry: &audit::AuditEntry) -> bool {
        self.record.repeats.is_running(key, &entry.action, entry.at)
    }

    /// Records facts that are on disk by now. The flag says whether the fact has an audit row of its own.
    pub fn settle(&self, facts: Vec<(String, audit::AuditEntry, bool)>) {
        let due = facts.into_iter().filter_map(|(key, entry, own)| self.record.repeats.settle(&key, entry, own));
        self.record.record(due.collect());
    }

    /// Records a refusal for lack of rights (403): a role, a grant or a scope. It tells an agent what to do next.
    pub fn saw(&self, error: &mut ApiError) {
        hint::of_the_rest(self.is_agent, &self.entry.action, error);
        if error.status() == StatusCode::FORBIDDEN {
            let entry = self.entry.clone().at(Micros::now());
            self.record.record(self.record.denials.note(&self.key, entry));
        }
    }
}

/// The key that denials are counted by: the credential, or the principal on the operator's socket, which needs none.
fn key_of(caller: &Caller) -> String {
    caller.credential_id().map_or_else(|| caller.actor(), str::to_owned)
}

fn entry(actor: audit::Actor, action: Action, head: &Head) -> audit::AuditEntry {
    audit::AuditEntry::new(
        actor,
        action.slug(),
        format!("{} {}", head.method, redacted(&head.raw_path).chars().take(256).collect::<String>()),
        head.request_id.clone(),
    )
    .ended(audit::AuditOutcome::Denied)
}
