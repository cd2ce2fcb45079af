//! The ends of operations that could not be written, for example because the disk was full. Until they are written, the
//! operations count as open and their agents as busy.

use std::sync::Mutex;

use super::error::OperationResult;
use crate::store::operations::Operation;
use crate::threads::lock;

/// The operations that have ended in memory only, with their results.
#[derive(Default)]
pub struct UnwrittenEnds(Mutex<Vec<(Operation, OperationResult)>>);

impl UnwrittenEnds {
    /// Keeps an end, to be written later.
    pub fn keep(&self, op: Operation, ended: OperationResult) {
        lock(&self.0).push((op, ended));
    }

    /// Takes all ends; who cannot write one keeps it again.
    pub fn take(&self) -> Vec<(Operation, OperationResult)> {
        std::mem::take(&mut *lock(&self.0))
    }
}
