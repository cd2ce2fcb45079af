//! The parameters of queries and forms, each declared once. A handler reads one by its declaration, so that a mistyped name
//! does not compile.

use crate::rest::field::{Field, Type};

// The authorization endpoint; others may add what they like to its query.

/// What the program wants back: a code.
pub const RESPONSE_TYPE: Field = Field::unbounded("response_type", "Always code.");
/// What the program gets back as it sent it.
pub const STATE: Field = Field::text("state", 1024, "What the program gets back unchanged.");
/// The challenge of PKCE.
pub const CODE_CHALLENGE: Field = Field::unbounded("code_challenge", "The challenge (RFC 7636).");
/// How the challenge was made.
pub const CODE_CHALLENGE_METHOD: Field = Field::unbounded("code_challenge_method", "Always S256.");

// The token endpoint and those beside it.

/// How the program asks.
pub const GRANT_TYPE: Field = Field::shown("grant_type", "How the program asks.").not_empty();
/// Who it is.
pub const CLIENT_ID: Field = Field::unbounded("client_id", "The client's id.");
/// What it proves that with.
pub const CLIENT_SECRET: Field =
    Field::unbounded("client_secret", "Its secret, if it has one and does not send it as Basic.");
/// The code that a person's consent gave.
pub const CODE: Field = Field::unbounded("code", "authorization_code: the code.");
/// Where the code was sent.
pub const REDIRECT_URI: Field =
    Field::unbounded("redirect_uri", "authorization_code: the redirect URI that got the code.");
/// What the challenge was made from.
pub const CODE_VERIFIER: Field =
    Field::unbounded("code_verifier", "authorization_code: the verifier that the challenge was made from (RFC 7636).");
/// The token that is replaced.
pub const REFRESH_TOKEN: Field = Field::unbounded("refresh_token", "refresh_token: the token.");
/// The code of a program without a browser.
pub const DEVICE_CODE: Field = Field::unbounded("device_code", "The device grant: the code.");
/// The key that is exchanged.
pub const SUBJECT_TOKEN: Field = Field::unbounded("subject_token", "A token exchange: the key to exchange.");
/// What it is.
pub const SUBJECT_TOKEN_TYPE: Field =
    Field::unbounded("subject_token_type", "A token exchange: its type (RFC 8693, section 3).");
/// Who acts for the subject; not offered.
pub const ACTOR_TOKEN: Field = Field::unbounded("actor_token", "Not offered.");
/// See [`ACTOR_TOKEN`].
pub const ACTOR_TOKEN_TYPE: Field = Field::unbounded("actor_token_type", "Not offered.");
/// What is wanted for the subject's token.
pub const REQUESTED_TOKEN_TYPE: Field = Field::unbounded("requested_token_type", "An access token or a JWT.");
/// Whom the token is for.
pub const AUDIENCE: Field = Field::unbounded("audience", "A token exchange: the audience of the access token.");
/// What it may do.
pub const SCOPE: Field = Field::unbounded("scope", "The scope words; at a refresh, fewer than before are allowed.");
/// What it is for.
pub const RESOURCE: Field = Field::unbounded("resource", "What the access token is for (RFC 8707).");
/// The token that is revoked or asked about.
pub const TOKEN: Field = Field::unbounded("token", "A refresh token or an access token.").required().not_empty();

// The pages and their forms.

/// Where a login leads.
pub const NEXT: Field = Field::unbounded("next", "The path on this box where the login leads.");
/// What was decided on the page of a code.
pub const DONE: Field = Field::unbounded("done", "What the person has decided.");
/// The code that a person types.
pub const USER_CODE: Field =
    Field::text("user_code", 32, "The code that the program shows, such as BCDF-GHJK.").required();
/// The decision of the person.
pub const DECISION: Field = Field::word("decision", &["allow", "deny"], "The decision of the person.").required();
/// An agent that the program acts as.
pub const AGENT_ID: Field = Field::text("agent_id", 64, "The id of an agent that the person edits.");
/// A new agent.
pub const NEW_AGENT: Field = Field::text("new_agent", 64, "The name of a new agent.");
/// The person.
pub const AS_USER: Field = Field::flag("user", "True to act as the person.");
/// As whom the program acts.
pub const ACT_AS: Field = Field::of(
    "act_as",
    Type::Object(&[AGENT_ID, NEW_AGENT, AS_USER]),
    "Who the program acts as; exactly one of the three.",
);
/// The words that the person leaves ticked.
pub const TICKED: Field = Field::texts("scope", 64, 64, "The scope words that the person allows.");
