//! Every setting with what holds and who said so, for people: what `porten config` and the settings window show.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::keys::{self, Key, Kind, Named};
use super::{Config, EngineKind, Keychain, LogLevel, Origin, Setting};
use crate::bridge::SettingView;

/// All of them, in the order of docs/configuration.md. `path` is the settings file, as a person would write it.
#[must_use]
pub fn shown(config: &Config, path: &str) -> Vec<SettingView> {
    let mut all = vec![
        holds(keys::HUB_URL, &config.hub, |hub| hub.as_str().to_owned()),
        said(keys::ENGINE, config.engine.as_ref(), Origin::Found, |kind| kind.word().to_owned()),
        said(keys::ENGINE_URL, config.engine_url.as_ref(), Origin::Found, ToString::to_string),
        said(keys::ENGINE_MODELS, config.models.as_ref(), Origin::Default, |models| {
            models.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        }),
        holds(keys::ALLOW_REMOTE, &config.engine_allow_remote, ToString::to_string),
        said(keys::AT_ONCE, config.at_once.as_ref(), Origin::Default, ToString::to_string),
        said(keys::FREE_AFTER_ALL, config.free_after_all.as_ref(), Origin::Default, ToString::to_string),
        said(keys::BUDGET, config.budget_mib.as_ref(), Origin::Found, ToString::to_string),
        holds(keys::FORCE, &config.force_budget, ToString::to_string),
    ];
    all.extend(named(keys::WIRED_LIMIT, &config.wired_limits, path));
    all.extend(named(keys::CONTEXT, &config.contexts, path));
    all.extend(named(keys::MODEL_AT_ONCE, &config.models_at_once, path));
    all.extend(named(keys::FREE_AFTER, &config.free_after, path));
    all.extend([
        holds(keys::KEEP_AWAKE, &config.keep_awake, ToString::to_string),
        holds(keys::NOTIFY_NEEDS_YOU, &config.notify.needs_you, ToString::to_string),
        holds(keys::NOTIFY_CLUSTER, &config.notify.cluster, ToString::to_string),
        holds(keys::NOTIFY_MODELS, &config.notify.models, ToString::to_string),
        holds(keys::LOG, &config.log, |level| level.word().to_owned()),
        holds(keys::KEYCHAIN, &config.keychain, |store| store.word().to_owned()),
    ]);
    all
}

fn holds<T>(key: Key, setting: &Setting<T>, text: impl Fn(&T) -> String) -> SettingView {
    SettingView { key: key.dotted(), value: Some(text(&setting.value)), origin: setting.origin.clone() }
}

/// A setting that nobody need say; `otherwise` is where what then holds comes from.
fn said<T>(key: Key, setting: Option<&Setting<T>>, otherwise: Origin, text: impl Fn(&T) -> String) -> SettingView {
    match setting {
        Some(setting) => holds(key, setting, text),
        None => SettingView { key: key.dotted(), value: None, origin: otherwise },
    }
}

/// Only the file has such.
fn named<T: Display>(key: Named, things: &BTreeMap<String, T>, path: &str) -> Vec<SettingView> {
    let view = |(name, value): (&String, &T)| SettingView {
        key: key.dotted(name),
        value: Some(value.to_string()),
        origin: Origin::File(path.to_owned()),
    };
    things.iter().map(view).collect()
}

/// What a setting holds as JSON has it: a number is a number, a truth a truth and a list a list.
#[must_use]
pub fn typed(view: &SettingView) -> serde_json::Value {
    let Some(text) = &view.value else { return serde_json::Value::Null };
    let plain = keys::ALL.into_iter().find(|key| key.dotted() == view.key);
    match plain.map_or(Kind::Number, |key| key.kind) {
        Kind::Text => text.as_str().into(),
        Kind::Number => text.parse::<u64>().map_or_else(|_| text.as_str().into(), Into::into),
        Kind::Truth => (text == "true").into(),
        Kind::List => text.split(',').collect::<Vec<_>>().into(),
    }
}

impl EngineKind {
    /// As the settings write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Exo => "exo",
        }
    }
}

impl LogLevel {
    /// As the settings write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Keychain {
    /// As the settings write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::File => "file",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SettingsFile, read};

    #[test]
    fn each_setting_is_shown_once_with_what_holds_and_who_said_so() {
        let environment = BTreeMap::from([("PORTEN_LOG".to_owned(), "debug".to_owned())]);
        let text =
            "[engine]\nmodels = [\"a\", \"b=x/B\"]\nfree_after_minutes = 30\n[model.\"a.b\"]\ncontext_tokens = 4096\n";
        let config = read(&environment, Some(SettingsFile { text, path: "~/c.toml" })).unwrap();
        let all = shown(&config, "~/c.toml");
        let lines: Vec<_> = (all.iter())
            .map(|view| format!("{} {} {}", view.key, view.value.as_deref().unwrap_or("-"), view.origin))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        hub.url wss://porten.ai default
        engine.kind - found by looking
        engine.url - found by looking
        engine.models a,b=x/B ~/c.toml
        engine.allow_remote false default
        engine.max_concurrent - default
        engine.free_after_minutes 30 ~/c.toml
        memory.budget_mb - found by looking
        memory.force false default
        model."a.b".context_tokens 4096 ~/c.toml
        power.keep_awake false default
        notify.needs_you true default
        notify.cluster true default
        notify.models true default
        log.level debug PORTEN_LOG
        keychain.store auto default
        "#);
        let of = |key: &str| all.iter().find(|view| view.key == key).map(typed).unwrap().to_string();
        assert_eq!(of("engine.models"), r#"["a","b=x/B"]"#);
        assert_eq!(of("engine.free_after_minutes"), "30");
        assert_eq!(of("model.\"a.b\".context_tokens"), "4096");
        assert_eq!((of("power.keep_awake"), of("memory.budget_mb")), ("false".to_owned(), "null".to_owned()));
        assert_eq!(of("hub.url"), "\"wss://porten.ai\"");
        for key in keys::ALL {
            assert!(all.iter().any(|view| view.key == key.dotted()), "{key:?} is not shown");
        }
    }
}
