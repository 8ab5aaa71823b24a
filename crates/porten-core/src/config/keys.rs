//! Every setting there is: its variable, its place in the file, and the kind of value it takes.

/// One setting's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// The environment variable; some settings stand in the file alone.
    pub(super) variable: Option<&'static str>,
    /// The table in the file.
    pub(super) table: &'static str,
    /// The key in that table.
    pub(super) key: &'static str,
    /// What stands there in the file; the environment knows only text.
    pub(super) kind: Kind,
}

/// The kinds of value in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Truth,
    List,
}

impl Key {
    /// As a sentence names it: `hub.url`.
    pub(super) fn dotted(self) -> String {
        format!("{}.{}", self.table, self.key)
    }
}

const fn key(variable: &'static str, table: &'static str, key: &'static str, kind: Kind) -> Key {
    Key { variable: Some(variable), table, key, kind }
}

const fn in_file(table: &'static str, key: &'static str, kind: Kind) -> Key {
    Key { variable: None, table, key, kind }
}

pub(super) const HUB_URL: Key = key("PORTEN_HUB_URL", "hub", "url", Kind::Text);
pub(super) const ENGINE: Key = key("PORTEN_ENGINE", "engine", "kind", Kind::Text);
pub(super) const ENGINE_URL: Key = key("PORTEN_ENGINE_URL", "engine", "url", Kind::Text);
pub(super) const ENGINE_MODELS: Key = key("PORTEN_ENGINE_MODELS", "engine", "models", Kind::List);
pub(super) const ALLOW_REMOTE: Key = key("PORTEN_ENGINE_ALLOW_REMOTE", "engine", "allow_remote", Kind::Truth);
pub(super) const AT_ONCE: Key = key("PORTEN_ENGINE_MAX_CONCURRENT", "engine", "max_concurrent", Kind::Number);
pub(super) const FREE_AFTER_ALL: Key = in_file("engine", "free_after_minutes", Kind::Number);
pub(super) const BUDGET: Key = key("PORTEN_VRAM_BUDGET_MB", "memory", "budget_mb", Kind::Number);
pub(super) const FORCE: Key = key("PORTEN_FORCE_BUDGET", "memory", "force", Kind::Truth);
pub(super) const KEEP_AWAKE: Key = in_file("power", "keep_awake", Kind::Truth);
pub(super) const NOTIFY_NEEDS_YOU: Key = in_file("notify", "needs_you", Kind::Truth);
pub(super) const NOTIFY_CLUSTER: Key = in_file("notify", "cluster", Kind::Truth);
pub(super) const NOTIFY_MODELS: Key = in_file("notify", "models", Kind::Truth);
pub(super) const LOG: Key = key("PORTEN_LOG", "log", "level", Kind::Text);
pub(super) const KEYCHAIN: Key = key("PORTEN_KEYCHAIN", "keychain", "store", Kind::Text);

/// All of them.
pub(super) const ALL: [Key; 15] = [
    HUB_URL,
    ENGINE,
    ENGINE_URL,
    ENGINE_MODELS,
    ALLOW_REMOTE,
    AT_ONCE,
    FREE_AFTER_ALL,
    BUDGET,
    FORCE,
    KEEP_AWAKE,
    NOTIFY_NEEDS_YOU,
    NOTIFY_CLUSTER,
    NOTIFY_MODELS,
    LOG,
    KEYCHAIN,
];

/// A setting of one of several things that have names, in a table of its own: `[mac."studio-2"]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    /// The table before the name.
    pub(super) table: &'static str,
    /// The key in it; all of them are whole numbers.
    pub(super) key: &'static str,
}

impl Named {
    /// As a sentence names it: `mac."studio-2".wired_limit_mb`.
    pub(super) fn dotted(self, name: &str) -> String {
        format!("{}.\"{name}\".{}", self.table, self.key)
    }
}

pub(super) const WIRED_LIMIT: Named = Named { table: "mac", key: "wired_limit_mb" };
pub(super) const CONTEXT: Named = Named { table: "model", key: "context_tokens" };
pub(super) const MODEL_AT_ONCE: Named = Named { table: "model", key: "max_concurrent" };
pub(super) const FREE_AFTER: Named = Named { table: "model", key: "free_after_minutes" };

/// All of them.
pub(super) const NAMED: [Named; 4] = [WIRED_LIMIT, CONTEXT, MODEL_AT_ONCE, FREE_AFTER];
