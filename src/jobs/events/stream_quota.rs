//! The limit on the event streams that each principal has open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::config::Watched;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::threads::lock;

/// The number of streams by principal.
type StreamCounts = Arc<Mutex<HashMap<String, u64>>>;

/// Limits the streams of each principal.
pub(super) struct StreamQuota {
    held: StreamCounts,
    most: Watched<u64>,
}

/// The place of one open stream, which is given back on drop.
pub(super) struct StreamPlace {
    held: StreamCounts,
    principal: String,
}

impl StreamQuota {
    /// `most` is the number of streams that one principal may have.
    pub(super) fn new(most: Watched<u64>) -> Self {
        Self { held: StreamCounts::default(), most }
    }

    /// Takes a place for one more stream of this principal.
    ///
    /// # Errors
    /// `too_many_streams`.
    pub(super) fn take(&self, principal: String) -> Result<StreamPlace, ApiError> {
        let mut all = lock(&self.held);
        let held = all.get(&principal).copied().unwrap_or(0);
        if held >= self.most.now() {
            return Err(ApiError::new(codes::TOO_MANY_STREAMS)
                .detail(format!("This principal has {held} event streams, which is the maximum.")));
        }
        all.insert(principal.clone(), held + 1);
        Ok(StreamPlace { held: Arc::clone(&self.held), principal })
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut all = lock(&self.held);
        if let Some(held) = all.get_mut(&self.principal) {
            *held -= 1;
            if *held == 0 {
                all.remove(&self.principal);
            }
        }
    }
}
