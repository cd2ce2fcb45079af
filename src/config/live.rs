//! The settings in force. A reload replaces them. Code reads a setting when it needs it and keeps no copy.
//! [`Config::adopt`] keeps the settings that only a restart can change.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use super::Config;

/// The settings in force, shared by all threads.
#[derive(Debug)]
pub struct LiveConfig(RwLock<Arc<Config>>);

impl LiveConfig {
    /// Starts with these settings.
    pub fn new(config: Config) -> Self {
        Self(RwLock::new(Arc::new(config)))
    }

    /// All settings as they are now. Use one such state for one piece of work.
    pub fn now(&self) -> Arc<Config> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads one value without copying the `Arc`, for code that every request runs.
    pub fn read<T>(&self, pick: impl FnOnce(&Config) -> T) -> T {
        pick(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a value that is read again each time it is used.
    pub fn watch<T>(self: &Arc<Self>, pick: impl Fn(&Config) -> T + Send + Sync + 'static) -> Watched<T> {
        let live = Arc::clone(self);
        Watched(Box::new(move || live.read(&pick)))
    }

    /// Replaces the settings in force.
    pub fn put(&self, config: Config) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }
}

/// One value of the settings in force.
pub struct Watched<T>(Box<dyn Fn() -> T + Send + Sync>);

impl<T> Watched<T> {
    /// The value as it is now.
    pub fn now(&self) -> T {
        (self.0)()
    }
}

impl<T: Copy + Send + Sync + 'static> From<T> for Watched<T> {
    /// A value that never changes.
    fn from(value: T) -> Self {
        Self(Box::new(move || value))
    }
}

impl<T: fmt::Debug> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.now().fmt(f)
    }
}
