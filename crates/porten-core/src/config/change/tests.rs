use super::*;
use crate::config::Origin;

const PATH: &str = "~/porten/config.toml";

fn changed(text: &str, key: &str, value: Option<&str>) -> Result<String, ChangeError> {
    change(&BTreeMap::new(), SettingsFile { text, path: PATH }, key, value).map(|changed| changed.text)
}

/// What is still wrong after a change, and the text.
fn mended(text: &str, key: &str, value: Option<&str>) -> (String, String) {
    let changed = change(&BTreeMap::new(), SettingsFile { text, path: PATH }, key, value).unwrap();
    (changed.text, changed.still_wrong.map(|error| error.to_string()).unwrap_or_default())
}

const WRITTEN: &str = r#"# Mine.
[hub]
# The one at work.
url = "wss://hub.example"  # since May
# url = "wss://porten.ai"

[engine]
models = [
    "a", # small
    "b",
]
allow_remote = true
url = "http://10.0.0.5:8000"
"#;

#[test]
fn a_setting_is_changed_and_every_comment_stays() {
    let text = changed(WRITTEN, "hub.url", Some(" wss://other.example ")).unwrap();
    assert_eq!(text, WRITTEN.replace("wss://hub.example", "wss://other.example"));
    let text = changed(&text, "power.keep_awake", Some("yes")).unwrap();
    let text = changed(&text, "model.qwen3.5-27b.context_tokens", Some("65536")).unwrap();
    let text = changed(&text, "mac.\"Jane's Mac\".wired_limit_mb", Some("114688")).unwrap();
    let text = changed(&text, "engine.models", Some("a, c=x/C")).unwrap();
    insta::assert_snapshot!(text, @r#"
    # Mine.
    [hub]
    # The one at work.
    url = "wss://other.example"  # since May
    # url = "wss://porten.ai"

    [engine]
    models = ["a", "c=x/C"]
    allow_remote = true
    url = "http://10.0.0.5:8000"

    [power]
    keep_awake = true

    [model."qwen3.5-27b"]
    context_tokens = 65536

    [mac."Jane's Mac"]
    wired_limit_mb = 114688
    "#);
}

#[test]
fn a_setting_is_taken_out_and_only_its_own_line_goes() {
    let text = changed(WRITTEN, "hub.url", None).unwrap();
    assert_eq!(text, WRITTEN.replace("url = \"wss://hub.example\"  # since May", "# since May"));
    let text = changed(&text, "engine.models", None).unwrap();
    assert!(text.contains("[engine]\nallow_remote = true\n"), "{text}");
    assert_eq!(changed(&text, "log.level", None).unwrap(), text, "it was not there");
    let inline = "hub.url = \"wss://hub.example\"\nmac = { a = { wired_limit_mb = 1 } }\nmemory.budget_mb = 2";
    let text = changed(inline, "mac.a.wired_limit_mb", None).unwrap();
    assert_eq!(changed(&text, "hub.url", None).unwrap(), "mac = { a = {} }\nmemory.budget_mb = 2\n");
    let text = changed(inline, "mac.b.wired_limit_mb", Some("3")).unwrap();
    assert!(text.contains("mac = { a = { wired_limit_mb = 1 } , b = { wired_limit_mb = 3 } }"), "{text}");
    assert_eq!(changed(inline, "memory.budget_mb", None).unwrap().lines().count(), 2, "the last line, without an end");
}

#[test]
fn what_cannot_be_set_is_one_sentence_that_names_the_setting() {
    let table = [
        ("hub.ulr", "wss://a.example"),
        ("hub.url", "https://a.example"),
        ("engine.url", "http://10.0.0.5:8000"),
        ("engine.kind", "vllm"),
        ("engine.models", "a,,b"),
        ("memory.budget_mb", "256GB"),
        ("memory.budget_mb", "0"),
        ("power.keep_awake", "perhaps"),
        ("engine.free_after_minutes", "-1"),
        ("model.tiny.context_token", "4096"),
        ("model.tiny.context_tokens", "5"),
        ("model.\"a\\b\".context_tokens", "5"),
        ("hub.token", "hunter2"),
        ("", ""),
    ];
    let lines: Vec<_> =
        table.iter().map(|(key, value)| changed("", key, Some(value)).expect_err(key).to_string()).collect();
    assert!(lines.iter().all(|line| line.lines().count() == 1 && !line.contains("hunter2")));
    insta::assert_snapshot!(lines.join("\n"), @r#"
    hub.ulr is not a setting; the nearest one is hub.url
    hub.url must begin with wss://, since the tunnel is a WebSocket; write wss://a.example
    engine.url is on another machine, where prompts would travel unguarded; use an engine on localhost, or set PORTEN_ENGINE_ALLOW_REMOTE=true
    engine.kind is "vllm"; write openai or exo, or leave it out: the engine's answers tell
    engine.models has an empty entry; write ids with one comma between them, like deepseek-v4-flash,glm-5
    memory.budget_mb must be a whole number, like 65536
    memory.budget_mb is "0", which is not a whole number of MiB from 1 to 2147483648; write 65536 for 64 GiB
    power.keep_awake is "perhaps"; write true or false
    engine.free_after_minutes must be a whole number, like 65536
    model.tiny.context_token is not a setting; the nearest one is model."NAME".context_tokens
    model."tiny".context_tokens is "5"; write a whole number from 1024 to 100000000
    model."a\b".context_tokens is not a setting; the nearest one is model."NAME".context_tokens
    hub.token looks like a secret, and Porten keeps none in files: take it out and sign in with `porten login`, which uses the keychain
    an empty name is not a setting; `porten config` lists them
    "#);
}

#[test]
fn what_the_environment_says_cannot_be_changed_here() {
    let environment = BTreeMap::from([("PORTEN_HUB_URL".to_owned(), "wss://a.example".to_owned())]);
    let file = SettingsFile { text: "", path: PATH };
    for value in [Some("wss://b.example"), None] {
        let error = change(&environment, file, "hub.url", value).unwrap_err();
        assert_eq!(
            error.to_string(),
            "hub.url is set by PORTEN_HUB_URL, which goes before the settings file; take that out of the environment first"
        );
    }
    assert!(change(&environment, file, "log.level", Some("debug")).is_ok());
}

#[test]
fn a_change_that_would_spoil_another_setting_is_refused() {
    let said = |text, key, value| changed(text, key, value).unwrap_err().to_string();
    let told = said(WRITTEN, "engine.allow_remote", None);
    assert!(told.starts_with("engine.url is on another machine"), "{told}");
    let told = said("hub = 3\n", "hub.url", Some("wss://a.example"));
    assert!(told.starts_with("hub.url must be in a table"), "{told}");
}

#[test]
fn a_broken_file_can_be_changed_elsewhere_and_mended() {
    let loud = "\n[log]\nlevel = \"loud\"\n";
    let (text, wrong) = mended(loud, "power.keep_awake", Some("true"));
    assert_eq!(text, "\n[log]\nlevel = \"loud\"\n\n[power]\nkeep_awake = true\n");
    assert!(wrong.starts_with("log.level (line 3 of ~/porten/config.toml) is \"loud\""), "{wrong}");
    assert_eq!(mended(&text, "log.level", Some("warn")).1, "");
    assert_eq!(mended(&text, "log.level", None).1, "");
    let unknown = "[hub]\nulr = \"x\"\n";
    let (text, wrong) = mended(unknown, "log.level", Some("warn"));
    assert!(text.contains("ulr") && text.contains("level = \"warn\"") && wrong.contains("line 2"), "{text}{wrong}");
}

#[test]
fn lines_that_are_no_toml_stay_and_are_named_or_are_replaced() {
    let cut = "# mine\n[hub]\nurl = \"wss://por\n\n[log]\nlevel = \"info\" # usual\n";
    let (text, wrong) = mended(cut, "log.level", Some("warn"));
    assert_eq!(text, cut.replace("\"info\"", "\"warn\""));
    assert!(wrong.starts_with("~/porten/config.toml (line 3) is not TOML"), "{wrong}");
    let (text, wrong) = mended(cut, "hub.url", Some("wss://a.example"));
    assert!(text.starts_with("# mine\n[hub]\nurl = \"wss://a.example\"\n") && wrong.is_empty(), "{text}{wrong}");
    assert_eq!(mended(cut, "hub.url", None), (cut.replace("url = \"wss://por\n", ""), String::new()));
    let list = "[engine]\nmodels = [\"a\",\n  \"b\"\n\n[log]\nlevel = \"info\"\n";
    let (text, wrong) = mended(list, "engine.models", Some("a,b"));
    assert!(text.contains("models = [\"a\", \"b\"]") && wrong.is_empty(), "{text}{wrong}");
    let (text, wrong) = mended("[memory]\nbudget_mb = \"lots\n", "log.level", Some("warn"));
    assert_eq!(text, "[memory]\nbudget_mb = \"lots\n\n[log]\nlevel = \"warn\"\n", "it stays in its table");
    assert!(wrong.contains("(line 2) is not TOML"), "{wrong}");
    let header = "[hub\nurl = \"wss://a.example\"\n";
    let (text, wrong) = mended(header, "log.level", Some("warn"));
    assert!(text.starts_with(header) && wrong.contains("(line 1) is not TOML"), "{text}{wrong}");
}

#[test]
fn a_mistake_in_the_environment_bars_no_change_of_the_file() {
    let environment = BTreeMap::from([("PORTEN_ENGINE_MODLES".to_owned(), "a".to_owned())]);
    let file = SettingsFile { text: "", path: PATH };
    assert!(change(&environment, file, "log.level", Some("debug")).is_ok());
}

mod laws {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Fault F3: whatever is asked, a file that reads as settings still does, and one that does not is named with what is wrong.
        #[test]
        fn whatever_is_asked_no_file_reads_worse_than_before(
            key in prop_oneof![
                prop::sample::select(keys::ALL.map(Key::dotted).to_vec()),
                prop::sample::select(keys::NAMED.map(|key| key.dotted("a.b")).to_vec()),
                "\\PC{0,30}",
            ],
            value in prop::option::of("\\PC{0,20}|[0-9]{1,12}|true|off|[a-z,=]{1,12}|wss?://[a-z.:0-9]{1,12}"),
            cut in 0..WRITTEN.len(),
        ) {
            for text in [WRITTEN, &WRITTEN[..cut]] {
                let file = |text| SettingsFile { text, path: PATH };
                match change(&BTreeMap::new(), file(text), &key, value.as_deref()) {
                    Ok(Changed { text: fresh, still_wrong }) => {
                        let config = read(&BTreeMap::new(), Some(file(&fresh)));
                        prop_assert_eq!(config.is_err(), still_wrong.is_some(), "{}", fresh);
                        prop_assert!(config.is_ok() || read(&BTreeMap::new(), Some(file(text))).is_err(), "{fresh}");
                        let comments = |text: &str| text.matches("# ").count();
                        prop_assert!(comments(&fresh) + 1 >= comments(text), "{fresh}");
                        if let (None, Ok(config)) = (&value, config) {
                            let again = changed(&fresh, &key, None);
                            prop_assert_eq!(again.as_deref(), Ok(fresh.as_str()));
                            let shown = crate::config::shown(&config, PATH);
                            let left = shown.iter().find(|view| view.key == key);
                            prop_assert!(left.is_none_or(|view| !matches!(view.origin, Origin::File(_))));
                        }
                    }
                    Err(error) => {
                        let sentence = error.to_string();
                        prop_assert!(!sentence.contains(|c: char| c.is_control()), "{sentence:?}");
                        prop_assert!(sentence.chars().count() < 600, "{sentence:?}");
                    }
                }
            }
        }
    }
}
