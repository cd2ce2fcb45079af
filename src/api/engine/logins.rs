//! Logins on their way, in memory for minutes: one-time links, requests of programs that wait for a person, and the codes
//! a person's click gave them. A restart forgets them, and the person clicks again.

use std::time::Duration;

use crate::access::secret_map::{Room, SecretMap};
use crate::access::{BoxKey, Throttle};
use crate::config::Watched;
use crate::secret::SecretHash;

/// Bounds of links.
pub const LINKS: Room = Room { life: Duration::from_secs(300), most: 256, of_owner: 16 };
/// Bounds of requests that wait for a person.
pub const ASKED: Room = Room { life: Duration::from_secs(600), most: 256, of_owner: 16 };
/// Bounds of codes. They are good for [`CODE_LIFE`] only; a used one is known for longer, so that a second use is seen.
pub const CODES: Room = Room { life: Duration::from_secs(600), most: 1024, of_owner: 64 };
/// Bounds of programs without a browser that wait for a person.
pub const DEVICES: Room = Room { life: Duration::from_secs(600), most: 64, of_owner: 8 };
/// Seconds that such a program waits between two questions, and by how much more where it did not.
pub const DEVICE_INTERVAL: u64 = 5;
/// Wrong user codes of one user a minute.
const USER_CODES: u64 = 5;
/// How long a code is good.
pub const CODE_LIFE: Duration = Duration::from_secs(60);
/// What the key of client ids is made for.
const CLIENT_IDS: &str = "taosd 2026 ids of dynamically registered OAuth clients";

/// Logins on their way.
#[derive(Debug)]
pub struct Logins {
    /// Links that log somebody in once.
    pub links: SecretMap<LoginLink>,
    /// Programs that wait for a person.
    pub asked: SecretMap<AuthorizationRequest>,
    /// What a click gave.
    pub codes: SecretMap<CodeGrant>,
    /// Programs without a browser that wait for a person.
    pub devices: SecretMap<DeviceLogin>,
    /// Wrong user codes of a user.
    pub user_codes: Throttle,
    /// Registrations of a peer.
    pub registrations: Throttle,
    /// The key that makes client ids which nobody else can make.
    client_key: [u8; 32],
}

impl Logins {
    /// Nothing on its way. Without a box key client ids end with this run of the daemon.
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

    /// The keyed hash of a state that a client of the MCP endpoint gives back.
    pub fn state_mac(&self, text: &str) -> blake3::Hash {
        blake3::keyed_hash(&blake3::derive_key("taosd 2026 request state", &self.client_key), text.as_bytes())
    }

    /// The keyed hash of a client id's text.
    pub fn client_mac(&self, text: &str) -> blake3::Hash {
        blake3::keyed_hash(&self.client_key, text.as_bytes())
    }
}

/// What a one-time login link stands for.
#[derive(Debug, Clone)]
pub struct LoginLink {
    /// The user's token that the session is to hang on.
    pub credential_id: String,
    /// Whom it logs in, for the page.
    pub username: String,
    /// Where it leads.
    pub path: String,
}

/// Who asks: a client as it is told to people and checked at the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginClient {
    /// The hash of its id.
    pub hash: SecretHash,
    /// What it calls itself.
    pub name: String,
    /// The page it names as its own; shown, never fetched.
    pub uri: Option<String>,
}

/// A program's request that waits for a person.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client: LoginClient,
    /// Scope words.
    pub words: Vec<String>,
    /// Whom its tokens are for.
    pub audience: String,
    /// The issuer it was asked at.
    pub issuer: String,
    /// Where the answer goes.
    pub answer: AnswerTarget,
    /// The session that has seen the page: no other may answer.
    pub seen_by: Option<String>,
}

/// Where a person's answer goes.
#[derive(Debug, Clone)]
pub enum AnswerTarget {
    /// Back to the program, through the browser.
    Redirect {
        /// The URI, as the program sent it.
        uri: String,
        /// What the program wants back.
        state: Option<String>,
        /// What the verifier has to hash to.
        challenge: String,
    },
    /// The program asks for it with its device code.
    Device {
        /// The hash of that code.
        code: SecretHash,
        /// Where the program is, for people.
        peer: String,
        /// What the person typed, to compare.
        user_code: String,
    },
}

/// A program without a browser that waits for a person.
#[derive(Debug, Clone)]
pub struct DeviceLogin {
    /// Who asks.
    pub client: LoginClient,
    /// Scope words.
    pub words: Vec<String>,
    /// Whom its tokens are for.
    pub audience: String,
    /// The issuer it was asked at.
    pub issuer: String,
    /// The hash of what the person types.
    pub user_code: SecretHash,
    /// Where the program is, for people.
    pub peer: String,
    /// Seconds it waits between two questions.
    pub interval: u64,
    /// When it asked last.
    pub polled: Option<std::time::Instant>,
    /// What the person decided.
    pub decision: Option<DeviceDecision>,
}

/// What a person decided about a [`DeviceLogin`].
#[derive(Debug, Clone)]
pub enum DeviceDecision {
    /// No.
    Denied,
    /// Yes: what the program is to be given.
    Allowed(Box<CodeGrant>),
    /// It was given.
    Given,
}

/// What a person's click gave, until the program fetches it.
#[derive(Debug, Clone)]
pub struct CodeGrant {
    /// To which client.
    pub client: LoginClient,
    /// The redirect URI it was sent to.
    pub redirect_uri: String,
    /// What the verifier has to hash to.
    pub challenge: String,
    /// Whom the tokens are for.
    pub audience: String,
    /// The agent to act as; `None`: the user.
    pub agent_id: Option<String>,
    /// Scope words.
    pub words: String,
    /// The session that clicked; its end ends the code.
    pub session_id: String,
    /// When it was made.
    pub made: std::time::Instant,
    /// Whether it was presented, and what it gave.
    pub used: Option<Used>,
    /// Whether it was presented once more while the first answer was on its way.
    pub replayed: bool,
}

/// What became of a presented code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Used {
    /// It was refused.
    Refused,
    /// It gave this grant.
    Gave(String),
}
