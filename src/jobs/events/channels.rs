//! Delivers notifications to channels from a durable outbox, first in, first out for each channel; no request waits for
//! a receiver. A slow or dead receiver delays only its own channel, with growing pauses. Notifications that it refuses
//! for good, or does not accept for a day, are dropped.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rusqlite::Connection;

pub use super::channel_attempt::Attempt;
use super::channel_attempt::Ended;
use super::channel_key::ChannelKey;
use super::channel_message::ChannelMessage;
use super::places::Places;
use super::webhook::{ListenAddresses, ShowNotification, pause_after, slept};
use crate::client::endpoint::Endpoint;
use crate::client::http::ClientError;
use crate::config::{ConfiguredChannel, Watched};
use crate::jobs::endpoints::acp_target::Rule;
use crate::limits::WEBHOOK_LIFE;
use crate::secret::{Plaintext, redacted};
use crate::store::channels::{self, Channel};
use crate::store::notifications::{self, Notification};
use crate::store::{self, Store, Swept, users};
use crate::threads::outlive_panics;
use crate::time::{Clock, Micros};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// The most attempts at once: in total, and for one user's channels.
const AT_ONCE: usize = 16;
const AT_ONCE_OF_USER: usize = 4;
/// The most deliveries at once that skip the outbox: in total, and for one principal.
const TRIALS: (usize, usize) = (4, 1);
/// The longest pause without a check of the outbox.
const REST: Duration = Duration::from_secs(15 * 60);
/// The most characters of an error that are stored.
const ERROR_CHARS: usize = 200;

/// The operator's settings for channels.
#[derive(Debug, Clone, Default)]
pub struct ChannelSettings {
    /// Hosts that users' channels may name even if they are not public or have no TLS.
    pub hosts: Vec<String>,
    /// The URL at which people reach the box.
    pub public_url: Option<String>,
    /// The operator's own channels.
    pub configured: Arc<Vec<ConfiguredChannel>>,
}

/// Makes the database's configured channels equal to those in `taosd.toml`. A channel that names an unknown user is
/// left out and logged.
///
/// # Errors
/// Any `StoreError`.
pub fn configure(conn: &Connection, all: &[ConfiguredChannel]) -> store::Result<()> {
    let (mut rows, now) = (Vec::new(), Micros::now());
    for one in all {
        let user_id = match &one.user {
            None => None,
            Some(name) => match users::by_username(conn, name)? {
                Some(user) => Some(user.id),
                None => {
                    log::error!("channel at {}: there is no user {name}; nobody is told there", one.place);
                    continue;
                }
            },
        };
        let events: Vec<&str> = one.events.iter().map(|event| event.slug()).collect();
        rows.push(Channel {
            id: one.id.clone(),
            user_id,
            configured: true,
            kind: one.kind,
            events: serde_json::Value::from(events).to_string(),
            min_level: one.min_level,
            created_at: now,
            updated_at: now,
            failures: 0,
            last_attempt_at: None,
            last_success_at: None,
            last_error: None,
            url: one.url.clone(),
            // The secret stays in its file.
            secret: None,
        });
    }
    channels::configure(conn, &rows)
}

enum ChannelOrder {
    Nudge,
    /// The channel was changed: it is tried now.
    Changed(String),
    Done(Box<Ended>),
    Stop,
}

/// A handle on the delivery thread.
pub struct ChannelSender {
    orders: Sender<ChannelOrder>,
    client: Arc<ChannelClient>,
    /// The running deliveries that skip the outbox.
    trials: Arc<Places>,
}

/// The parts that an attempt needs.
struct ChannelClient {
    key: Option<ChannelKey>,
    listening: ListenAddresses,
    settings: Watched<ChannelSettings>,
    show: ShowNotification,
}

impl ChannelSender {
    /// Starts the thread. Without a key, secrets can neither be stored nor used.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(
        store: &Arc<Store>,
        clock: Arc<Clock>,
        key: Option<ChannelKey>,
        listening: ListenAddresses,
        settings: Watched<ChannelSettings>,
        show: ShowNotification,
    ) -> std::io::Result<Self> {
        let (orders, receiver) = channel();
        let client = Arc::new(ChannelClient { key, listening, settings, show });
        let mut dispatcher = ChannelDispatcher {
            store: Arc::downgrade(store),
            clock,
            client: Arc::clone(&client),
            orders: orders.clone(),
            busy: HashMap::new(),
            resting: HashMap::new(),
            unnoted: HashMap::new(),
            taken: VecDeque::new(),
        };
        let work = move || outlive_panics("channels", slept, || dispatcher.work(&receiver));
        std::thread::Builder::new().name("channels".into()).spawn(work)?;
        Ok(Self { orders, client, trials: Places::new(TRIALS) })
    }

    /// Announces that something may have been queued.
    pub fn nudge(&self) {
        // Fails only once the thread has ended.
        let _ = self.orders.send(ChannelOrder::Nudge);
    }

    /// Announces that a channel was changed, so that its old failures delay it no more.
    pub fn changed(&self, channel_id: &str) {
        let _ = self.orders.send(ChannelOrder::Changed(channel_id.to_owned()));
    }

    /// Encrypts a secret for a channel.
    ///
    /// # Errors
    /// There is no key, or it cannot be used.
    pub fn seal(&self, channel_id: &str, secret: &str) -> std::io::Result<Vec<u8>> {
        let key = self.client.key.as_ref().ok_or_else(|| std::io::Error::other("channels.key cannot be used"))?;
        key.seal(channel_id, secret)
    }

    /// Delivers a notification to a channel now, without the outbox, and tells the result from a thread of its own. False
    /// if too many such deliveries run, in total or for the principal `by`.
    pub fn try_now(
        &self,
        by: &str,
        channel: Channel,
        record: Notification,
        tell: impl FnOnce(Attempt) + Send + 'static,
    ) -> bool {
        let Some(place) = self.trials.take(by) else { return false };
        let client = Arc::clone(&self.client);
        let trial = move || {
            let attempt = client.attempt(&channel, &record);
            // Whoever has the result may try again.
            drop(place);
            tell(attempt);
        };
        std::thread::Builder::new().name("channel-trial".into()).spawn(trial).is_ok()
    }

    /// Returns why a user must not use this URL; `None` if it is allowed.
    pub fn unfit(&self, endpoint: &Endpoint) -> Option<&'static str> {
        self.client.unfit(endpoint)
    }
}

impl Drop for ChannelSender {
    fn drop(&mut self) {
        let _ = self.orders.send(ChannelOrder::Stop);
    }
}

impl ChannelClient {
    fn is_listed(&self, host: &str) -> bool {
        self.settings.now().hosts.iter().any(|listed| listed.eq_ignore_ascii_case(host))
    }

    fn unfit(&self, endpoint: &Endpoint) -> Option<&'static str> {
        if self.is_listed(&endpoint.host) {
            return None;
        }
        if !endpoint.tls {
            return Some("must begin with https://, unless channel_hosts in taosd.toml lists its host");
        }
        match endpoint.host.parse() {
            Ok(ip) if !Rule::is_public(ip) => {
                Some("must name a public host, or one that channel_hosts in taosd.toml lists")
            }
            _ => None,
        }
    }

    fn attempt(&self, channel: &Channel, record: &Notification) -> Attempt {
        let attempt = self.deliver(channel, record).unwrap_or_else(Attempt::Failed);
        // The text of a receiver or a resolver may contain a secret that was sent to it.
        let cut = |text: String| redacted(&text).chars().take(ERROR_CHARS).collect();
        match attempt {
            Attempt::Taken => Attempt::Taken,
            Attempt::Refused(why) => Attempt::Refused(cut(why)),
            Attempt::Failed(why) => Attempt::Failed(cut(why)),
        }
    }

    fn deliver(&self, channel: &Channel, record: &Notification) -> Result<Attempt, String> {
        let settings = self.settings.now();
        let own = settings.configured.iter().find(|one| channel.configured && one.id == channel.id);
        if channel.configured && own.is_none() {
            return Ok(Attempt::Refused("taosd.toml does not name it any more".to_owned()));
        }
        let token = own.and_then(|own| own.token.as_ref());
        let secret = match &channel.secret {
            None => Plaintext::new(token.map_or_else(String::new, |token| token.reveal().to_owned())),
            Some(sealed) => {
                let opened = self.key.as_ref().and_then(|key| key.unseal(&channel.id, sealed));
                opened.ok_or("its secret was sealed on another box: set it again")?
            }
        };
        let to = Endpoint::parse(&channel.url, secret).map_err(|why| format!("the url {why}"))?;
        let shown = (self.show)(record);
        let message = ChannelMessage { record, shown: &shown, public_url: settings.public_url.as_deref() };
        let request = match message.request(channel.kind, &to, Instant::now() + ATTEMPT) {
            Ok(request) => request,
            Err(why) => return Ok(Attempt::Refused(why)),
        };
        let address = self.address(channel, &to)?;
        let trust = own.and_then(|own| own.trust.as_ref());
        let answer = to.call(address, trust, request).map_err(|error| told(&error))?;
        Ok(match answer.status {
            200..300 => Attempt::Taken,
            // 408, 425 and 429 mean too slow, too early and too many, so another try may succeed. Any other 4xx is
            // final.
            status @ 400..500 if !matches!(status, 408 | 425 | 429) => {
                Attempt::Refused(format!("it answered {status}"))
            }
            status => Attempt::Failed(format!("it answered {status}")),
        })
    }

    /// Returns the resolved address, if it may be used. The request goes to this address, so that a second reply of a
    /// resolver cannot lead elsewhere.
    fn address(&self, channel: &Channel, to: &Endpoint) -> Result<SocketAddr, String> {
        if let Some(why) = self.unfit(to).filter(|_| !channel.configured) {
            return Err(format!("the url {why}"));
        }
        let address = to.resolve().map_err(|error| told(&error))?;
        let rule = Rule { listening: self.listening.get().cloned().unwrap_or_default() };
        let free = channel.configured || self.is_listed(&to.host) || Rule::is_public(address.ip());
        let address = Some(address).filter(|_| free).and_then(|address| rule.receiver(address));
        address.ok_or_else(|| "its host leads to an address that channels may not use".to_owned())
    }
}

fn told(error: &ClientError) -> String {
    error.to_string()
}

struct ChannelDispatcher {
    store: Weak<Store>,
    clock: Arc<Clock>,
    client: Arc<ChannelClient>,
    orders: Sender<ChannelOrder>,
    /// The ids of channels with a running attempt, with their users.
    busy: HashMap<String, Option<String>>,
    /// When a failed channel is tried again, and how many times it has failed.
    resting: HashMap<String, (Instant, u32)>,
    /// The deliveries that ended but are still in the outbox, because it could not be written, by channel.
    unnoted: HashMap<String, Ended>,
    /// The orders that have come and are not carried out yet. A panic loses only the one that it interrupts; its message
    /// is sent again.
    taken: VecDeque<ChannelOrder>,
}

impl ChannelDispatcher {
    fn work(&mut self, orders: &Receiver<ChannelOrder>) {
        loop {
            // First, after a panic: what had come by then.
            if !self.carry_out() {
                return;
            }
            let Some(store) = self.store.upgrade() else { return };
            let rest = self.send(&store).unwrap_or_else(|error| {
                log::warn!("the channels' outbox cannot be read: {error}");
                Duration::from_secs(10)
            });
            drop(store);
            let first = match orders.recv_timeout(rest) {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.taken.extend(first.into_iter().chain(orders.try_iter()));
        }
    }

    /// Carries out the orders that have come. False once the daemon stops.
    fn carry_out(&mut self) -> bool {
        while let Some(order) = self.taken.pop_front() {
            match order {
                ChannelOrder::Nudge => {}
                ChannelOrder::Stop => return false,
                ChannelOrder::Changed(id) => self.forget(&id),
                ChannelOrder::Done(ended) => {
                    self.busy.remove(&ended.channel.id);
                    let Some(store) = self.store.upgrade() else { return false };
                    self.settle(&store, *ended);
                }
            }
        }
        true
    }

    /// Begins attempts that are due. Returns how long nothing else will be due.
    fn send(&mut self, store: &Store) -> store::Result<Duration> {
        self.expire(store);
        let waiting = store.read(channels::waiting)?;
        self.resting.retain(|id, _| waiting.iter().any(|channel| channel.id == *id));
        self.unnoted.retain(|id, _| waiting.iter().any(|channel| channel.id == *id));
        // One time for all: a pause that ends in between must not be taken for both over and going on.
        let now = Instant::now();
        for channel in waiting {
            if self.busy.contains_key(&channel.id) || self.is_resting(&channel.id, now) {
                continue;
            }
            if let Some(ended) = self.unnoted.remove(&channel.id) {
                self.settle(store, ended);
                if self.is_resting(&channel.id, now) {
                    continue;
                }
            }
            // The end of another attempt triggers the next check.
            let of_user = self.busy.values().filter(|user| **user == channel.user_id).count();
            if self.busy.len() >= AT_ONCE || of_user >= AT_ONCE_OF_USER {
                continue;
            }
            let head = store.read(|conn| {
                let Some(id) = channels::head(conn, &channel.id)? else { return store::Result::Ok(None) };
                notifications::by_id(conn, &id)
            })?;
            if let Some(record) = head {
                self.begin(channel, record);
            }
        }
        let next = self.resting.iter().filter(|(id, (at, _))| *at > now && !self.busy.contains_key(*id));
        Ok(next.map(|(_, (at, _))| at.saturating_duration_since(Instant::now())).min().unwrap_or(REST))
    }

    fn is_resting(&self, id: &str, now: Instant) -> bool {
        self.resting.get(id).is_some_and(|(at, _)| *at > now)
    }

    fn forget(&mut self, id: &str) {
        self.resting.remove(id);
        self.unnoted.remove(id);
    }

    /// Drops what has waited for too long, also while the daemon was stopped or the user was disabled.
    fn expire(&self, store: &Store) {
        let life = i64::try_from(WEBHOOK_LIFE.as_micros()).unwrap_or(i64::MAX);
        let too_old = self.clock.judging().plus(-life);
        let expire = || match store.read(|conn| channels::are_older(conn, too_old))? {
            true => store.write(move |conn| channels::expire(conn, too_old)),
            false => Ok(0),
        };
        match expire() {
            Ok(0) => {}
            Ok(dropped) => {
                log::error!("{}: {dropped} notifications waited for a day: they are dropped", Swept::ChannelOutbox);
            }
            Err(error) => log::warn!("old notifications could not be dropped: {error}"),
        }
    }

    fn begin(&mut self, channel: Channel, record: Notification) {
        let (client, orders) = (Arc::clone(&self.client), self.orders.clone());
        self.busy.insert(channel.id.clone(), channel.user_id.clone());
        let id = channel.id.clone();
        let started = std::thread::Builder::new().name("channel".into()).spawn(move || {
            let ended = Ended::of(channel, record.id.clone(), |channel| client.attempt(channel, &record));
            // Fails only once the thread has ended.
            let _ = orders.send(ChannelOrder::Done(Box::new(ended)));
        });
        if let Err(error) = started {
            log::warn!("no thread for a delivery: {error}");
            self.busy.remove(&id);
            self.rest(&id);
        }
    }

    /// Pauses a channel after a failure. Returns the length of the pause.
    fn rest(&mut self, id: &str) -> Duration {
        let failed = self.resting.get(id).map_or(0, |(_, failed)| *failed);
        let pause = pause_after(failed);
        self.resting.insert(id.to_owned(), (Instant::now() + pause, failed.saturating_add(1)));
        pause
    }

    /// Notes how an attempt ended. If that cannot be written, a delivery that is over is not made again, only noted.
    fn settle(&mut self, store: &Store, ended: Ended) {
        let (id, notification) = (ended.channel.id.clone(), &ended.notification_id);
        match &ended.attempt {
            Attempt::Taken => {}
            Attempt::Refused(why) => {
                log::warn!("channel {id} refuses notification {notification}: {why}; it is not sent again");
            }
            Attempt::Failed(why) => {
                let pause = self.rest(&id);
                log::warn!(
                    "notification {notification} could not be delivered to channel {id}: {why}; next try in {pause:?}"
                );
            }
        }
        match (note(store, &ended), &ended.attempt) {
            (Ok(true), Attempt::Failed(_)) => {}
            (Ok(_), _) => self.forget(&id),
            (Err(error), Attempt::Failed(_)) => log::warn!("a delivery to channel {id} could not be noted: {error}"),
            (Err(error), _) => {
                let pause = self.rest(&id);
                log::warn!("a delivery to channel {id} could not be noted: {error}; next try in {pause:?}");
                self.unnoted.insert(id, ended);
            }
        }
    }
}

/// Writes how an attempt ended. False if the channel was changed since: the attempt says nothing about it as it is now,
/// unless the same receiver has taken the notification.
fn note(store: &Store, ended: &Ended) -> store::Result<bool> {
    let (id, was) = (ended.channel.id.clone(), ended.channel.clone());
    let (notification, attempt, now) = (ended.notification_id.clone(), ended.attempt.clone(), Micros::now());
    store.write(move |conn| {
        let Some(is) = channels::by_id(conn, &id)? else { return Ok(false) };
        let taken = matches!(attempt, Attempt::Taken) && (&is.url, &is.secret) == (&was.url, &was.secret);
        if is.updated_at != was.updated_at && !taken {
            return Ok(false);
        }
        match attempt {
            Attempt::Taken => channels::done(conn, &id, &notification, None, now)?,
            Attempt::Refused(why) => channels::done(conn, &id, &notification, Some(&why), now)?,
            Attempt::Failed(why) => channels::failed(conn, &id, &why, now)?,
        }
        Ok(true)
    })
}
