//! The settings as a list, for people and for showing what a reload changes. The list contains no secrets.

use std::collections::BTreeMap;
use std::path::Path;

use super::ax::POLICIES;
use super::containers::{BINDINGS, MountRoot, RUNTIMES};
use super::{Config, Origin, ProtectedResource, WebhookSettings, keys};
use crate::limits::Limits;

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its full name, such as `ax.max_agent_pats`.
    pub key: String,
    /// Its value as TOML; a placeholder for a secret.
    pub value: String,
    /// The source of the value.
    pub origin: Origin,
    /// A hash that changes when the value changes, for values that are not shown.
    mark: Option<blake3::Hash>,
}

/// A setting whose values in two configurations differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its full name.
    pub key: String,
    /// The old and the new value, for people.
    pub text: String,
    /// True if a reload applies it.
    pub reloads: bool,
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

fn list<T>(all: &[T], show: impl Fn(&T) -> String) -> String {
    format!("[{}]", all.iter().map(show).collect::<Vec<_>>().join(", "))
}

fn mount_root(root: &MountRoot) -> String {
    if root.users.is_empty() && root.agents.is_empty() {
        return path(&root.path);
    }
    let names = |names: &[String]| list(names, |name| quoted(name));
    format!("{{ path = {}, users = {}, agents = {} }}", path(&root.path), names(&root.users), names(&root.agents))
}

/// The word for a value. Every value has one.
fn word<T: PartialEq>(words: &[(&str, T)], value: &T) -> String {
    quoted(words.iter().find(|(_, known)| known == value).map_or("", |(word, _)| *word))
}

impl Config {
    /// Every setting that has a value, in the order of the documentation, the limits last.
    pub fn settings(&self) -> Vec<Setting> {
        let mut all = Vec::new();
        let origin = |key: &str| self.origins.get(key).cloned().unwrap_or(Origin::Default);
        let mut add = |key: &str, value: String| {
            all.push(Setting { key: key.to_owned(), value, origin: origin(key), mark: None });
        };
        add("data_dir", path(&self.data_dir));
        add("listen", list(&self.listen, |address| quoted(&address.to_string())));
        add("socket", path(&self.socket));
        add("allowed_hosts", list(&self.allowed_hosts, |host| quoted(host)));
        add("channel_hosts", list(&self.channel_hosts, |host| quoted(host)));
        if let Some(url) = &self.public_url {
            add("public_url", quoted(&url.to_string()));
        }
        add("log", quoted(&self.log));
        add("time_sync_file", path(&self.time_sync_file));
        let containers = &self.containers;
        if let Some(socket) = &containers.runtime.socket {
            add("containers_socket", path(socket));
        }
        add("lxc_images", path(&containers.runtime.places.lxc_images));
        add("containers.runtime", word(&RUNTIMES, &containers.runtime.choice));
        if let Some(image) = &containers.image {
            add("containers.image", quoted(image.as_str()));
        }
        add("containers.bind_credentials", word(&BINDINGS, &containers.bind_credentials));
        add("containers.mount_roots", list(&containers.mount_roots, mount_root));
        for (name, framework) in &containers.frameworks {
            if let Some(image) = &framework.image {
                add(&format!("frameworks.{name}.image"), quoted(image.as_str()));
            }
        }
        for node in self.nodes.iter() {
            let name = &node.options.name;
            add(&format!("nodes.{name}.url"), quoted(&node.options.url));
            if let Some(certificate) = &node.certificate {
                add(&format!("nodes.{name}.certificate"), quoted(certificate));
            }
        }
        for (name, hosts) in self.models.iter().flatten() {
            add(&format!("models.{name}"), list(hosts, |host| quoted(host)));
        }
        add("ax.fingerprint_policy", word(&POLICIES, &self.ax.fingerprint_policy));
        add("ax.max_agent_pats", self.ax.max_agent_pats.to_string());
        add("agentex.health_checks", self.agentex.health_checks.to_string());
        add("agentex.health_interval", self.agentex.health_interval.to_string());
        for (name, value) in self.workspace.values() {
            add(&format!("workspace.{name}"), value.to_string());
        }
        self.oauth_settings(&mut add);
        add("requests.ttl", self.requests.ttl.to_string());
        for key in Limits::KEYS {
            add(key.name, self.limits.get(key.name).unwrap_or_default().to_string());
        }
        all.extend(self.hidden());
        all
    }

    fn oauth_settings(&self, add: &mut impl FnMut(&str, String)) {
        let oauth = &self.oauth;
        add("oauth.enabled", oauth.enabled.to_string());
        add("oauth.insecure_http", oauth.insecure_http.to_string());
        add("oauth.access_ttl", oauth.access_ttl.to_string());
        add("oauth.refresh_idle_days", oauth.refresh_idle_days.to_string());
        add("oauth.refresh_days", oauth.refresh_days.to_string());
        add("oauth.register", oauth.register.to_string());
        add("oauth.registrations_per_minute", oauth.registrations_per_minute.to_string());
        add("oauth.redirect_schemes", list(&oauth.redirect_schemes, |scheme| quoted(scheme)));
        let resource = |one: &ProtectedResource| {
            let scopes = list(&one.scopes, |word| quoted(word));
            format!("{{ uri = {}, scopes = {scopes}, alg = {} }}", quoted(&one.uri), quoted(one.alg.slug()))
        };
        add("oauth.resources", list(&oauth.resources, resource));
    }

    /// The settings that may contain a secret.
    fn hidden(&self) -> Vec<Setting> {
        let mut all = Vec::new();
        let mut add = |key: String, at: &str, value: String, secret: &[&str]| {
            let origin = self.origins.get(at).cloned().unwrap_or(Origin::Default);
            let mut mark = blake3::Hasher::new();
            for part in secret {
                mark.update(part.as_bytes()).update(b"\0");
            }
            all.push(Setting { key, value, origin, mark: Some(mark.finalize()) });
        };
        for (name, framework) in &self.containers.frameworks {
            let at = format!("frameworks.{name}.env");
            for (variable, value) in &framework.env {
                add(format!("{at}.{}", variable.as_str()), &at, "\"…\"".into(), &[value.reveal()]);
            }
        }
        for node in self.nodes.iter() {
            if let Some(token) = &node.options.token {
                let at = format!("nodes.{}.token", node.options.name);
                add(at.clone(), &at, "\"…\"".into(), &[token.reveal()]);
            }
        }
        let channels = list(&self.channels, |channel| {
            format!("{{ kind = {}, url = {} }}", quoted(channel.kind.slug()), quoted(&channel.place))
        });
        let secret: Vec<String> = self.channels.iter().map(|channel| format!("{channel:?}")).collect();
        let tokens =
            self.channels.iter().map(|channel| channel.token.as_ref().map_or("", crate::secret::Plaintext::reveal));
        let marks: Vec<&str> = secret.iter().map(String::as_str).chain(tokens).collect();
        add("channel".into(), "channel", channels, &marks);
        if let Some(WebhookSettings { endpoint, secret_file }) = self.webhook.as_deref() {
            add("webhook.url".into(), "webhook.url", quoted(&endpoint.place()), &[&endpoint.path]);
            add("webhook.secret_file".into(), "webhook.secret_file", path(secret_file), &[endpoint.secret.reveal()]);
        }
        all
    }

    /// An origin as text for people.
    pub fn place(&self, origin: &Origin) -> String {
        match (origin, &self.file) {
            (Origin::Default, _) => "default".into(),
            (Origin::Variable(name), _) => name.clone(),
            (Origin::Flag(flag), _) => (*flag).into(),
            (Origin::Line(line), Some(file)) => format!("{}:{line}", file.display()),
            (Origin::Line(line), None) => format!("line {line}"),
        }
    }

    /// The settings that have another value in `new`.
    pub fn differences(&self, new: &Self) -> Vec<Difference> {
        let by_key = |config: &Self| -> BTreeMap<String, Setting> {
            config.settings().into_iter().map(|setting| (setting.key.clone(), setting)).collect()
        };
        let (old, new) = (by_key(self), by_key(new));
        let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
        keys.sort();
        keys.dedup();
        let difference = |key: &String| {
            let what = |setting: Option<&Setting>| setting.map(|setting| (setting.value.clone(), setting.mark));
            let (before, after) = (what(old.get(key)), what(new.get(key)));
            if before == after {
                return None;
            }
            let shown = |of: Option<(String, _)>| of.map_or_else(|| "nothing".to_owned(), |(value, _)| value);
            let (before, after) = (shown(before), shown(after));
            let text = if before == after {
                format!("{after}, with another content")
            } else {
                format!("{before} → {after}")
            };
            Some(Difference { key: key.clone(), text, reloads: keys::reloads(key) })
        };
        keys.into_iter().filter_map(difference).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flags, Sources};

    fn config(text: &str) -> Config {
        let env = [("HOME".to_owned(), "/h".to_owned())].into();
        Config::from_sources(&Flags::default(), None, Sources::new("f".into(), text, env)).unwrap()
    }

    #[test]
    fn every_key_of_the_table_is_shown_and_nothing_else() {
        let file = std::env::temp_dir().join(format!("taosd-settings-{}", std::process::id()));
        std::fs::write(&file, "0123456789abcdef").unwrap();
        let token = format!(r#"{{"fingerprint":"{}","secret":"s"}}"#, "ab".repeat(32));
        let token = data_encoding::BASE64.encode(token.as_bytes());
        let text = format!(
            "channel = [{{ kind = 'ntfy', url = 'https://a/secret' }}]\ncontainers_socket = '/s'\npublic_url = 'https://b'\n[containers]\nimage = 'i'\n[frameworks.NAME]\nimage = 'i'\nenv = {{ A = 'b' }}\n\
            [nodes.name]\nurl = 'https://n'\ncertificate = '{}'\ntoken = '{token}'\n[models]\nNAME = ['controller']\n[webhook]\nurl = 'http://a/path?key=1'\nsecret_file = '{}'\n",
            "ab".repeat(32),
            file.display()
        );
        let settings = config(&text).settings();
        std::fs::remove_file(&file).unwrap();
        let mut shown: Vec<String> =
            settings.iter().map(|s| s.key.replace(".env.A", ".env").replace("nodes.name", "nodes.NAME")).collect();
        let full = |key: &keys::SettingKey| format!("{}.{}", key.table, key.name).trim_start_matches('.').to_owned();
        let limits = Limits::KEYS.iter().map(|key| key.name.to_owned());
        let mut known: Vec<String> = keys::KEYS.iter().map(full).chain(limits).collect();
        shown.sort();
        known.sort();
        assert_eq!(shown, known);
        assert!(settings.iter().all(|s| !s.value.contains("key=1")
            && !s.value.contains("a/secret")
            && !s.value.contains("'b'")
            && !s.value.contains(&token)
            && s.value != "\"\""));
    }

    #[test]
    fn a_difference_is_told_and_a_secret_is_not() {
        let old = config("workers = 4\nidle_timeout = 5\n[frameworks.a]\nenv = { KEY = 'one' }\n");
        let new = config("workers = 5\nallowed_hosts = ['b']\n[frameworks.a]\nenv = { KEY = 'two' }\nimage = 'i'\n");
        let told: Vec<_> = old.differences(&new).into_iter().map(|d| (d.key, d.text, d.reloads)).collect();
        let of = |key: &str, text: &str, reloads| (key.to_owned(), text.to_owned(), reloads);
        assert_eq!(
            told,
            [
                of("allowed_hosts", "[] → [\"b\"]", true),
                of("frameworks.a.env.KEY", "\"…\", with another content", true),
                of("frameworks.a.image", "nothing → \"i\"", true),
                of("idle_timeout", "5 → 60", true),
                of("workers", "4 → 5", false),
            ]
        );
        let kept = old.adopt(new);
        assert_eq!((kept.limits.workers, kept.limits.idle_timeout), (4, 60));
        assert_eq!(kept.differences(&kept.clone()), []);
    }
}
