//! Pending logins: one-time links, programs' requests that wait for a person, and the codes that a person's click gave
//! them. They stay in memory for minutes. A restart forgets them, and the person clicks again.

use std::time::Duration;

use crate::access::secret_map::{Room, SecretMap};
use crate::access::{BoxKey, Throttle};
use crate::config::Watched;
use crate::secret::SecretHash;

/// The bounds of login links.
pub const LINKS: Room = Room { life: Duration::from_secs(300), most: 256, of_owner: 16 };
/// The bounds of requests that wait for a person.
pub const ASKED: Room = Room { life: Duration::from_secs(600), most: 256, of_owner: 16 };
/// The bounds of codes. A code is valid only for [`CODE_LIFE`]; a used one is remembered longer, to detect a second
/// use.
pub const CODES: Room = Room { life: Duration::from_secs(600), most: 1024, of_owner: 64 };
/// The bounds of programs without a browser that wait for a person.
pub const DEVICES: Room = Room { life: Duration::from_secs(600), most: 64, of_owner: 8 };
/// The seconds that such a program waits between two polls, and the seconds added to that after a poll that came too
/// soon.
pub const DEVICE_INTERVAL: u64 = 5;
/// Wrong user codes that one user may type per minute.
const USER_CODES: u64 = 5;
/// How long a code is valid.
pub const CODE_LIFE: Duration = Duration::from_secs(60);
/// The context string for deriving the key of client ids.
const CLIENT_IDS: &str = "taosd 2026 ids of dynamically registered OAuth clients";

/// All pending logins.
#[derive(Debug)]
pub struct Logins {
    /// Links that each log a user in once.
    pub links: SecretMap<LoginLink>,
    /// Requests of programs that wait for a person.
    pub asked: SecretMap<AuthorizationRequest>,
    /// Codes that a person's click gave.
    pub codes: SecretMap<CodeGrant>,
    /// Programs without a browser that wait for a person.
    pub devices: SecretMap<DeviceLogin>,
    /// Throttles wrong user codes per user.
    pub user_codes: Throttle,
    /// Throttles client registrations per peer.
    pub registrations: Throttle,
    /// The key that authenticates client ids, so that nobody else can make them.
    client_key: [u8; 32],
}

impl Logins {
    /// Creates an empty set of logins. Without a box key, client ids are valid only until the daemon stops.
    pub fn new(box_key: Option<&BoxKey>, registrations: Watched<u64>) -> Self {
        let client_key = box_key.map_or_else(
            || {
                let mut key = [0; 32];
                getrandom::fill(&mut key).expect("the kernel's random source answers on every Linux taosd runs on");
                key
            },
            |key| key.derive(CLIENT_IDS),
        );
        Self {
            links: SecretMap::new(LINKS),
            asked: SecretMap::new(ASKED),
            codes: SecretMap::new(CODES),
            devices: SecretMap::new(DEVICES),
            user_codes: Throttle::new(USER_CODES),
            registrations: Throttle::new(registrations),
            client_key,
        }
    }

    /// Returns the keyed hash of a state that a client of the MCP endpoint sends back.
    pub fn state_mac(&self, text: &str) -> blake3::Hash {
        blake3::keyed_hash(&blake3::derive_key("taosd 2026 request state", &self.client_key), text.as_bytes())
    }

    /// Returns the keyed hash of a client id's text.
    pub fn client_mac(&self, text: &str) -> blake3::Hash {
        blake3::keyed_hash(&self.client_key, text.as_bytes())
    }
}

/// The content of a one-time login link.
#[derive(Debug, Clone)]
pub struct LoginLink {
    /// The id of the user's token that the session will depend on.
    pub credential_id: String,
    /// The name of the user, for the page.
    pub username: String,
    /// The path that the browser opens after the login.
    pub path: String,
}

/// An OAuth client as people see it and as the token endpoint checks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginClient {
    /// The hash of the client id.
    pub hash: SecretHash,
    /// The client's name for itself.
    pub name: String,
    /// The home page that the client names; shown, never fetched.
    pub uri: Option<String>,
}

/// A program's request that waits for a person.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest {
    /// The client that asks.
    pub client: LoginClient,
    /// The scope words that the program asks for.
    pub words: Vec<String>,
    /// The audience of its tokens.
    pub audience: String,
    /// The issuer URL that the request was sent to.
    pub issuer: String,
    /// The target of the person's answer.
    pub answer: AnswerTarget,
    /// The session that has seen the page; no other session may answer.
    pub seen_by: Option<String>,
}

/// The target of a person's answer.
#[derive(Debug, Clone)]
pub enum AnswerTarget {
    /// The browser carries the answer back to the program.
    Redirect {
        /// The redirect URI, as the program sent it.
        uri: String,
        /// The program's `state`, which it gets back.
        state: Option<String>,
        /// The PKCE challenge: the expected hash of the verifier.
        challenge: String,
    },
    /// The program polls for the answer with its device code.
    Device {
        /// The hash of the device code.
        code: SecretHash,
        /// The program's peer, shown to people.
        peer: String,
        /// The user code that the person typed, to compare.
        user_code: String,
    },
}

/// A program without a browser that waits for a person.
#[derive(Debug, Clone)]
pub struct DeviceLogin {
    /// The client that asks.
    pub client: LoginClient,
    /// The scope words that the program asks for.
    pub words: Vec<String>,
    /// The audience of its tokens.
    pub audience: String,
    /// The issuer URL that the request was sent to.
    pub issuer: String,
    /// The hash of the user code that the person types.
    pub user_code: SecretHash,
    /// The program's peer, shown to people.
    pub peer: String,
    /// The seconds that the program must wait between two polls.
    pub interval: u64,
    /// The time of the last poll.
    pub polled: Option<std::time::Instant>,
    /// The person's decision; `None` while there is none.
    pub decision: Option<DeviceDecision>,
}

/// A person's decision about a [`DeviceLogin`].
#[derive(Debug, Clone)]
pub enum DeviceDecision {
    /// The person denied it.
    Denied,
    /// The person allowed it; the grant that the program will get.
    Allowed(Box<CodeGrant>),
    /// The program has got its grant.
    Given,
}

/// The result of a person's click, until the program fetches it.
#[derive(Debug, Clone)]
pub struct CodeGrant {
    /// The client that may use it.
    pub client: LoginClient,
    /// The redirect URI that the code was sent to.
    pub redirect_uri: String,
    /// The PKCE challenge: the expected hash of the verifier.
    pub challenge: String,
    /// The audience of the tokens.
    pub audience: String,
    /// The agent to act as; `None` for the user.
    pub agent_id: Option<String>,
    /// The granted scope words.
    pub words: String,
    /// The session of the person who clicked; its end ends the code.
    pub session_id: String,
    /// The time of the click.
    pub made: std::time::Instant,
    /// The result of its first use; `None` if it was never presented.
    pub used: Option<Used>,
    /// Whether it was presented again before the first reply was sent.
    pub replayed: bool,
}

impl CodeGrant {
    /// Makes the code usable again after a request that could not use it for now. A code that was presented again
    /// meanwhile stays used.
    pub fn give_back(&mut self) {
        if !self.replayed {
            self.used = None;
        }
    }
}

/// The result of a presented code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Used {
    /// The code was refused.
    Refused,
    /// The code gave the grant with this id.
    Gave(String),
}
