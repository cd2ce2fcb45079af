//! The settings in force. A reload puts new ones in their place; whoever needs a setting reads it when it is needed and
//! keeps no copy. What is set at the start for good is kept by [`Config::adopt`].

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use super::Config;

/// The settings in force, shared by all.
#[derive(Debug)]
pub struct LiveConfig(RwLock<Arc<Config>>);

impl LiveConfig {
    /// These settings, until others are put in their place.
    pub fn new(config: Config) -> Self {
        Self(RwLock::new(Arc::new(config)))
    }

    /// All settings as they are now; what is done with them is done with one state of them.
    pub fn now(&self) -> Arc<Config> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// One value, for where every request comes by.
    pub fn read<T>(&self, pick: impl FnOnce(&Config) -> T) -> T {
        pick(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A value that is read afresh whenever it is asked for.
    pub fn watch<T>(self: &Arc<Self>, pick: impl Fn(&Config) -> T + Send + Sync + 'static) -> Watched<T> {
        let live = Arc::clone(self);
        Watched(Box::new(move || live.read(&pick)))
    }

    /// Puts these settings in force.
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
