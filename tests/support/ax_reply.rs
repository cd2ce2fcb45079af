//! Errors of the aX dialect.

use serde_json::Value;

use super::Reply;

/// Checks of error replies in the aX dialect.
pub trait AxReply {
    /// Fails unless this is the error `code` in the dialect's envelope. Returns the `detail`.
    #[track_caller]
    fn expect_ax(self, status: u16, code: &str) -> Value;
}

impl AxReply for Reply {
    #[track_caller]
    fn expect_ax(self, status: u16, code: &str) -> Value {
        let body = self.json();
        assert_eq!((self.status, body["detail"]["error"].as_str().unwrap_or("")), (status, code), "{}", self.text());
        assert_eq!(body["error"], body["detail"]["message"], "{body}");
        assert!(body["fix"].is_string() && body["doc_url"].is_string(), "{body}");
        assert!(self.header("x-request-id").is_some());
        body["detail"].clone()
    }
}
