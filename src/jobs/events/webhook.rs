//! The webhook: if `taosd.toml` names a URL, notifications are also delivered there. They wait in a durable outbox, and
//! a thread of its own delivers them, so that no request waits for a receiver.
//!
//! Deliveries are first in, first out. A receiver that is away blocks the queue, with growing pauses. Notifications
//! that it refuses for good, or does not accept for a day, are dropped. Redirects are not followed.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::channel_message::without_secrets;
use super::channels::ChannelSender;
use crate::client::endpoint::Endpoint;
use crate::client::http::ClientRequest;
use crate::config::{self, Watched};
use crate::jobs::endpoints::acp_target::Rule;
use crate::limits::WEBHOOK_LIFE;
use crate::store::webhook::{self as outbox, Pending};
use crate::store::{Result, Store, Swept, notifications};
use crate::threads::{lock, outlive_panics};
use crate::time::{Clock, Micros};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// The pause after the first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// How many times an alarm is tried that cannot wait in the outbox.
const URGENT_ATTEMPTS: u32 = 4;
/// The most bytes of a reply that are read.
const ANSWER_BYTES: usize = 64 * 1024;

/// The value of the signature header, `t=SECONDS,v1=HEX`: HMAC-SHA256 (RFC 2104) with the secret over `SECONDS.BODY`.
pub(super) fn signature(endpoint: &Endpoint, seconds: i64, body: &str) -> String {
    // HMAC takes a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(endpoint.secret.reveal().as_bytes()).expect("any key will do");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body.as_bytes());
    format!("t={seconds},v1={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
}

/// The function that formats a notification; the caller provides it.
pub type ShowNotification = fn(&notifications::Notification) -> Value;

/// The present webhook; `None` if none is set.
pub type WebhookSetting = Watched<Option<Arc<config::WebhookSettings>>>;

/// The addresses on which the daemon listens; set once it does.
pub type ListenAddresses = Arc<OnceLock<Vec<SocketAddr>>>;

/// A handle on the delivery thread; dropping it ends the thread after the running attempt.
pub struct WebhookSender {
    nudge: SyncSender<()>,
    urgent: Arc<Urgent>,
    /// The sender for channels, which is nudged as well.
    channels: Arc<ChannelSender>,
}

/// The alarm that cannot wait in the outbox because nothing can be written there.
type Urgent = Mutex<Option<notifications::Notification>>;

impl WebhookSender {
    /// Starts the thread.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(
        store: &Arc<Store>,
        clock: Arc<Clock>,
        listening: ListenAddresses,
        setting: WebhookSetting,
        show: ShowNotification,
        channels: Arc<ChannelSender>,
    ) -> std::io::Result<Self> {
        let (nudge, nudged) = sync_channel(1);
        // The thread must not keep the database open when the daemon stops during an attempt.
        let urgent = Arc::<Urgent>::default();
        let store = Arc::downgrade(store);
        let mut deliverer =
            Deliverer { store, clock, listening, setting, show, urgent: Arc::clone(&urgent), unnoted: None };
        let work = move || outlive_panics("webhook", slept, || deliverer.work(&nudged));
        std::thread::Builder::new().name("webhook".into()).spawn(work)?;
        Ok(Self { nudge, urgent, channels })
    }

    /// Delivers a notification without the outbox, with a few tries; a newer one replaces it.
    pub fn urge(&self, record: notifications::Notification) {
        *lock(&self.urgent) = Some(record);
        self.nudge();
    }

    /// Announces that something was queued, or that the receiver has changed.
    pub fn nudge(&self) {
        // A nudge that already waits is enough.
        let _ = self.nudge.try_send(());
        self.channels.nudge();
    }
}

struct Deliverer {
    listening: ListenAddresses,
    store: Weak<Store>,
    clock: Arc<Clock>,
    setting: WebhookSetting,
    show: ShowNotification,
    urgent: Arc<Urgent>,
    /// The end of an attempt that the outbox does not know yet. It is noted before anything is sent again.
    unnoted: Option<(String, WebhookAttempt)>,
}

/// The result of an attempt.
enum WebhookAttempt {
    Taken,
    Refused(String),
    Failed(String),
}

impl Deliverer {
    fn work(&mut self, nudged: &Receiver<()>) {
        loop {
            let Some(webhook) = self.setting.now() else {
                // Queued notifications wait until there is a receiver.
                if !pause(nudged, Duration::MAX) {
                    return;
                }
                continue;
            };
            self.deliver_urgent(&webhook.endpoint);
            let Some(store) = self.store.upgrade() else { return };
            let next = next(&store, &self.clock);
            drop(store);
            let rest = match next {
                Ok(None) => Duration::MAX,
                Ok(Some((pending, rest, body))) if rest.is_zero() => {
                    let id = pending.notification_id.clone();
                    let attempt = match self.unnoted.take() {
                        Some((ended, attempt)) if ended == id => attempt,
                        _ => self.deliver(&webhook.endpoint, &pending, body),
                    };
                    let Some(store) = self.store.upgrade() else { return };
                    match settle(&store, &pending, &attempt) {
                        Ok(()) => Duration::ZERO,
                        Err(error) => {
                            self.unnoted = Some((id, attempt));
                            later(&error)
                        }
                    }
                }
                Ok(Some((_, rest, _))) => rest,
                Err(error) => later(&error),
            };
            if !pause(nudged, rest) {
                return;
            }
        }
    }

    fn rule(&self) -> Rule {
        Rule { listening: self.listening.get().cloned().unwrap_or_default() }
    }

    fn deliver_urgent(&self, to: &Endpoint) {
        let taken = lock(&self.urgent).take();
        let Some(record) = taken else { return };
        let now = record.created_at;
        let mut pending = Pending { notification_id: record.id.clone(), attempts: 0, queued_at: now, next_at: now };
        while let WebhookAttempt::Failed(why) = self.deliver(to, &pending, Some(record.clone())) {
            log::warn!("an alarm could not be delivered to the webhook: {why}");
            pending.attempts += 1;
            if pending.attempts >= URGENT_ATTEMPTS {
                return;
            }
            std::thread::sleep(pause_after(pending.attempts - 1));
        }
    }

    fn deliver(&self, to: &Endpoint, pending: &Pending, record: Option<notifications::Notification>) -> WebhookAttempt {
        // The notification was deleted meanwhile, and its row in the outbox with it.
        let Some(record) = record else { return WebhookAttempt::Taken };
        let body = without_secrets(&(self.show)(&record)).to_string();
        let seconds = Micros::now().0 / Micros::SECOND;
        let request = ClientRequest::new("POST", to.path.clone(), Instant::now() + ATTEMPT)
            .with_header("user-agent", concat!("taosd/", env!("CARGO_PKG_VERSION")))
            .with_header("x-taos-event", "notification")
            .with_header("x-taos-delivery", pending.notification_id.clone())
            .with_header("x-taos-signature", signature(to, seconds, &body))
            .with_max_response(ANSWER_BYTES)
            .with_body("application/json", body);
        let address = match to.resolve() {
            Ok(address) => match self.rule().receiver(address) {
                Some(address) => address,
                None => {
                    return WebhookAttempt::Failed(format!("{address} is this daemon itself, or no machine's address"));
                }
            },
            Err(error) => return WebhookAttempt::Failed(error.to_string()),
        };
        match to.call(address, None, request) {
            Ok(answer) if (200..300).contains(&answer.status) => WebhookAttempt::Taken,
            // 408, 425 and 429 mean too slow, too early and too many, so another try may succeed. Any other 4xx is
            // final.
            Ok(answer) if (400..500).contains(&answer.status) && !matches!(answer.status, 408 | 425 | 429) => {
                WebhookAttempt::Refused(format!("it answered {}", answer.status))
            }
            Ok(answer) => WebhookAttempt::Failed(format!("it answered {}", answer.status)),
            Err(error) => WebhookAttempt::Failed(error.to_string()),
        }
    }
}

type Next = Option<(Pending, Duration, Option<notifications::Notification>)>;

/// Returns the oldest delivery, how long it still has to wait, and its notification. Drops those that are too old, also
/// after a stop.
fn next(store: &Store, clock: &Clock) -> Result<Next> {
    expire(store, clock)?;
    store.read(|conn| {
        let Some(pending) = outbox::next(conn)? else { return Ok(None) };
        let rest = Duration::from_micros(u64::try_from(pending.next_at.0 - Micros::now().0).unwrap_or(0));
        // No pause is longer than this; a clock that was set back must not make one longer.
        let rest = if rest > LAST_PAUSE { Duration::ZERO } else { rest };
        let record = notifications::by_id(conn, &pending.notification_id)?;
        Ok(Some((pending, rest, record)))
    })
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn expire(store: &Store, clock: &Clock) -> Result<()> {
    let too_old = clock.judging().plus(-micros(WEBHOOK_LIFE));
    if store.read(outbox::next)?.is_none_or(|oldest| oldest.queued_at >= too_old) {
        return Ok(());
    }
    let given_up = store.write(move |conn| outbox::expire(conn, too_old))?;
    let what = Swept::WebhookOutbox;
    log::error!("{what}: the receiver did not accept {given_up} notifications for a day: they are dropped");
    Ok(())
}

fn settle(store: &Store, pending: &Pending, attempt: &WebhookAttempt) -> Result<()> {
    let id = pending.notification_id.clone();
    match attempt {
        WebhookAttempt::Taken => store.write(move |conn| outbox::done(conn, &id)),
        WebhookAttempt::Refused(why) => {
            log::warn!("the webhook's receiver refuses notification {id}: {why}; it is not sent again");
            store.write(move |conn| outbox::done(conn, &id))
        }
        WebhookAttempt::Failed(why) => {
            let pause = pause_after(pending.attempts);
            log::warn!("notification {id} could not be delivered to the webhook: {why}; next try in {pause:?}");
            let until = Micros::now().plus(micros(pause));
            store.write(move |conn| outbox::postpone(conn, &id, until))
        }
    }
}

pub(super) fn pause_after(attempts: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1_u32.checked_shl(attempts.min(20)).unwrap_or(u32::MAX)).min(LAST_PAUSE)
}

fn later(error: &crate::store::StoreError) -> Duration {
    log::warn!("the webhook's outbox cannot be used: {error}");
    LAST_PAUSE.min(Duration::from_secs(10))
}

/// The rest of a thread that nobody waits for.
pub(super) fn slept(rest: Duration) -> bool {
    std::thread::sleep(rest);
    true
}

/// Waits for a nudge, or until `rest` has passed; false once the daemon stops. A nudge does not shorten the pause after
/// a failure: the loop finds that the same delivery is not due and waits again.
fn pause(nudged: &Receiver<()>, rest: Duration) -> bool {
    match rest {
        Duration::ZERO => true,
        Duration::MAX => nudged.recv().is_ok(),
        rest => nudged.recv_timeout(rest) != Err(RecvTimeoutError::Disconnected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Plaintext;

    fn endpoint(url: &str) -> std::result::Result<Endpoint, String> {
        Endpoint::parse(url, Plaintext::new("key".into()))
    }

    #[test]
    fn a_url_has_a_scheme_and_a_host() {
        let good = endpoint("http://127.0.0.1:9000/hook?a=b").unwrap();
        assert_eq!((good.authority().as_str(), good.path.as_str()), ("127.0.0.1:9000", "/hook?a=b"));
        assert_eq!(endpoint("http://[::1]/").unwrap().authority(), "[::1]:80");
        assert_eq!(endpoint("http://relay").unwrap().path, "/");
        let tls = endpoint("https://a").unwrap();
        assert_eq!((tls.tls, tls.port, good.tls), (true, 443, false));
        for bad in ["ftp://a/", "http:///x", "/x", "", "http://u:p@a/", "http://a b/"] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_signature_is_hmac_sha256_of_time_and_body() {
        // Computed with: printf '1700000000.{}' | openssl dgst -sha256 -hmac key
        let signature = signature(&endpoint("http://a").unwrap(), 1_700_000_000, "{}");
        assert_eq!(signature, "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae");
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        assert_eq!([0, 1, 2, 9].map(|n| pause_after(n).as_secs()), [1, 2, 4, 512]);
        assert_eq!(pause_after(u32::MAX), LAST_PAUSE);
    }
}
