//! The parameters of queries and forms, each declared once. A handler reads a parameter by its declaration, so a
//! mistyped name does not compile.

use crate::rest::field::{Field, Type};

// Parameters of the authorization endpoint; others may add more to its query.

/// The requested kind of response; always `code`.
pub const RESPONSE_TYPE: Field = Field::unbounded("response_type", "Always code.");
/// The value that the program gets back unchanged.
pub const STATE: Field = Field::text("state", 1024, "What the program gets back unchanged.");
/// The PKCE challenge.
pub const CODE_CHALLENGE: Field = Field::unbounded("code_challenge", "The challenge (RFC 7636).");
/// The method of the PKCE challenge; always `S256`.
pub const CODE_CHALLENGE_METHOD: Field = Field::unbounded("code_challenge_method", "Always S256.");

// Parameters of the token endpoint and of related endpoints.

/// The grant type.
pub const GRANT_TYPE: Field = Field::shown("grant_type", "How the program asks.").not_empty();
/// The client's id.
pub const CLIENT_ID: Field = Field::unbounded("client_id", "The client's id.");
/// The client's secret.
pub const CLIENT_SECRET: Field =
    Field::unbounded("client_secret", "Its secret, if it has one and does not send it as Basic.");
/// The authorization code that a person's consent gave.
pub const CODE: Field = Field::unbounded("code", "authorization_code: the code.");
/// The redirect URI that the code was sent to.
pub const REDIRECT_URI: Field =
    Field::unbounded("redirect_uri", "authorization_code: the redirect URI that got the code.");
/// The PKCE verifier, from which the challenge was made.
pub const CODE_VERIFIER: Field =
    Field::unbounded("code_verifier", "authorization_code: the verifier that the challenge was made from (RFC 7636).");
/// The refresh token to use, which is then replaced.
pub const REFRESH_TOKEN: Field = Field::unbounded("refresh_token", "refresh_token: the token.");
/// The device code of a program without a browser.
pub const DEVICE_CODE: Field = Field::unbounded("device_code", "The device grant: the code.");
/// The key to exchange.
pub const SUBJECT_TOKEN: Field = Field::unbounded("subject_token", "A token exchange: the key to exchange.");
/// The type of the subject token.
pub const SUBJECT_TOKEN_TYPE: Field =
    Field::unbounded("subject_token_type", "A token exchange: its type (RFC 8693, section 3).");
/// The token of a principal that acts for the subject; not offered.
pub const ACTOR_TOKEN: Field = Field::unbounded("actor_token", "Not offered.");
/// See [`ACTOR_TOKEN`].
pub const ACTOR_TOKEN_TYPE: Field = Field::unbounded("actor_token_type", "Not offered.");
/// The requested type of the issued token.
pub const REQUESTED_TOKEN_TYPE: Field = Field::unbounded("requested_token_type", "An access token or a JWT.");
/// The audience of the token.
pub const AUDIENCE: Field = Field::unbounded("audience", "A token exchange: the audience of the access token.");
/// The scope words.
pub const SCOPE: Field = Field::unbounded("scope", "The scope words; at a refresh, fewer than before are allowed.");
/// The resource that the token is for.
pub const RESOURCE: Field = Field::unbounded("resource", "What the access token is for (RFC 8707).");
/// The token to revoke or introspect.
pub const TOKEN: Field = Field::unbounded("token", "A refresh token or an access token.").required().not_empty();

// Parameters of the pages and their forms.

/// The path that the browser opens after the login.
pub const NEXT: Field = Field::unbounded("next", "The path on this box where the login leads.");
/// The decision about a device code, for the page that confirms it.
pub const DONE: Field = Field::unbounded("done", "What the person has decided.");
/// The user code that a person types.
pub const USER_CODE: Field =
    Field::text("user_code", 32, "The code that the program shows, such as BCDF-GHJK.").required();
/// The person's decision: `allow` or `deny`.
pub const DECISION: Field = Field::word("decision", &["allow", "deny"], "The decision of the person.").required();
/// The id of the agent that the program acts as.
pub const AGENT_ID: Field = Field::text("agent_id", 64, "The id of an agent that the person edits.");
/// The name of a new agent that the program acts as.
pub const NEW_AGENT: Field = Field::text("new_agent", 64, "The name of a new agent.");
/// Whether the program acts as the person.
pub const AS_USER: Field = Field::flag("user", "True to act as the person.");
/// The principal that the program acts as.
pub const ACT_AS: Field = Field::of(
    "act_as",
    Type::Object(&[AGENT_ID, NEW_AGENT, AS_USER]),
    "Who the program acts as; exactly one of the three.",
);
/// The scope words that the person leaves ticked.
pub const TICKED: Field = Field::texts("scope", 64, 64, "The scope words that the person allows.");
