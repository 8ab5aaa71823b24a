use std::collections::BTreeMap;

use super::*;

const PATH: &str = "~/porten/config.toml";

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_environment(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    read(&environment(pairs), None)
}

fn from_file(text: &str) -> Result<Config, ConfigError> {
    read(&BTreeMap::new(), Some(SettingsFile { text, path: PATH }))
}

fn sentence(result: Result<Config, ConfigError>) -> String {
    result.expect_err("a bad setting").to_string()
}

fn ids(models: &Setting<Vec<Wanted>>) -> Vec<&str> {
    models.value.iter().map(|wanted| wanted.hub.as_str()).collect()
}

#[test]
fn with_nothing_set_the_defaults_hold_and_say_so() {
    let config = from_environment(&[]).unwrap();
    assert_eq!(config.hub.value.as_str(), "wss://porten.ai");
    assert_eq!(config.hub.origin, Origin::Default);
    assert_eq!((config.engine, config.engine_url, config.models, config.budget_mib), (None, None, None, None));
    assert!(!config.engine_allow_remote.value);
    assert_eq!((config.log.value, config.keychain.value), (LogLevel::Info, Keychain::Auto));
}

#[test]
fn the_recipes_five_variables_are_read_and_each_knows_its_name() {
    let config = from_environment(&[
        ("PORTEN_HUB_URL", "wss://porten.ai"),
        ("PORTEN_ENGINE", "openai"),
        ("PORTEN_ENGINE_URL", "http://localhost:8000"),
        ("PORTEN_VRAM_BUDGET_MB", "262144"),
        ("PORTEN_ENGINE_MODELS", "deepseek-v4-flash, tiny = /Users/jane/tiny"),
    ])
    .unwrap();
    let from = |name: &str| Origin::Environment(name.to_owned());
    assert_eq!(config.hub.origin, from("PORTEN_HUB_URL"));
    assert_eq!(config.engine, Some(Setting { value: EngineKind::Openai, origin: from("PORTEN_ENGINE") }));
    let url = config.engine_url.unwrap();
    assert_eq!((url.value.as_str(), url.origin), ("http://localhost:8000", from("PORTEN_ENGINE_URL")));
    assert_eq!(config.budget_mib, Some(Setting { value: 262_144, origin: from("PORTEN_VRAM_BUDGET_MB") }));
    let models = config.models.unwrap();
    assert_eq!(ids(&models), ["deepseek-v4-flash", "tiny"]);
    assert_eq!(models.value[1].engine.as_ref().unwrap().as_str(), "/Users/jane/tiny");
    assert!(models.origin.is_chosen());
}

#[test]
fn the_whole_file_is_read_and_the_environment_overrules_it() {
    let text = r#"
        [hub]
        url = "wss://hub.example:8443"
        [engine]
        kind = "exo"
        url = "http://10.0.0.5:52415/v1"
        allow_remote = true
        models = ["glm-5=x/GLM-5", "odd,name=/a,b"]
        [memory]
        budget_mb = 65_536
        [log]
        level = "debug"
        [keychain]
        store = "file"
    "#;
    assert!(sentence(from_file(text)).contains("odd,name"), "a comma is in no Hub id");
    let text = text.replace("odd,name", "odd");
    let over = environment(&[("PORTEN_ENGINE", "OpenAI"), ("PORTEN_LOG", "  "), ("PORTEN_KEYCHAIN", "")]);
    let config = read(&over, Some(SettingsFile { text: &text, path: PATH })).unwrap();
    let file = Origin::File(PATH.to_owned());
    assert_eq!((config.hub.value.origin(), &config.hub.origin), ("https://hub.example:8443", &file));
    assert_eq!(config.engine.unwrap().value, EngineKind::Openai);
    assert_eq!(config.engine_url.unwrap().value.as_str(), "http://10.0.0.5:52415");
    assert_eq!(ids(&config.models.unwrap()), ["glm-5", "odd"]);
    assert_eq!(config.budget_mib, Some(Setting { value: 65_536, origin: file.clone() }));
    assert_eq!(config.log, Setting { value: LogLevel::Debug, origin: file.clone() }, "empty is not set");
    assert_eq!(config.keychain, Setting { value: Keychain::File, origin: file });
}

#[test]
fn a_bad_variable_is_one_sentence_with_its_remedy() {
    let table = [
        ("PORTEN_HUB_URL", "https://porten.ai"),
        ("PORTEN_HUB_URL", "ws://porten.ai"),
        ("PORTEN_HUB_URL", "wss://me:pw@porten.ai"),
        ("PORTEN_ENGINE", "vllm"),
        ("PORTEN_ENGINE_URL", "http://10.0.0.5:8000"),
        ("PORTEN_ENGINE_URL", "http://0.0.0.0:52415/v1"),
        ("PORTEN_VRAM_BUDGET_MB", "256GB"),
        ("PORTEN_ENGINE_MODELS", "a,,b"),
        ("PORTEN_ENGINE_MODELS", "a,b,a=x"),
        ("PORTEN_ENGINE_MODELS", "my model"),
        ("PORTEN_ENGINE_MODELS", "a="),
        ("PORTEN_ENGINE_ALLOW_REMOTE", "perhaps"),
        ("PORTEN_KEYCHAIN", "\u{1b}[2Jnone"),
        ("PORTEN_ENGINE_MODEL", "a"),
    ];
    let lines: Vec<_> = table.iter().map(|&(name, value)| sentence(from_environment(&[(name, value)]))).collect();
    for line in &lines {
        assert!(line.starts_with("PORTEN_") && !line.contains(|c: char| c.is_control()), "{line:?}");
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    PORTEN_HUB_URL must begin with wss://, since the tunnel is a WebSocket; write wss://porten.ai
    PORTEN_HUB_URL would send everything unencrypted, and ws:// is only for a Hub on this machine; write wss://porten.ai
    PORTEN_HUB_URL holds a user name or a password; leave them out and sign in with `porten login`
    PORTEN_ENGINE is "vllm"; write openai or exo, or leave it out: the engine's answers tell
    PORTEN_ENGINE_URL is on another machine, where prompts would travel unguarded; use an engine on localhost, or set PORTEN_ENGINE_ALLOW_REMOTE=true
    PORTEN_ENGINE_URL names every interface instead of one engine; write http://localhost:52415
    PORTEN_VRAM_BUDGET_MB is "256GB", which is not a whole number of MiB from 1 to 2147483648; write 65536 for 64 GiB
    PORTEN_ENGINE_MODELS has an empty entry; write ids with one comma between them, like deepseek-v4-flash,glm-5
    PORTEN_ENGINE_MODELS lists a twice; leave one out
    PORTEN_ENGINE_MODELS lists "my model", which is not a model id; write the Hub's id (at most 200 letters, digits and . _ / : @ -), or hub-id=engine-id
    PORTEN_ENGINE_MODELS lists "a=", where the part after = is not an id of an engine; write it as the engine's /v1/models does
    PORTEN_ENGINE_ALLOW_REMOTE is "perhaps"; write true or false
    PORTEN_KEYCHAIN is "\u{1b}[2Jnone"; write auto or file
    PORTEN_ENGINE_MODEL is not a setting; the nearest one is PORTEN_ENGINE_MODELS
    "#);
}

/// Fault F3: settings that do not read are one sentence with key and line.
#[test]
fn a_bad_file_is_one_sentence_with_key_and_line() {
    let table = [
        "[hub]\nurl = \"https://porten.ai\"",
        "[hub]\nulr = \"wss://porten.ai\"",
        "[hubs]",
        "hub = \"wss://porten.ai\"",
        "\n\n[engine]\nkind = 3",
        "[engine]\nmodels = \"a\"",
        "[engine]\nmodels = [\"a\", 3]",
        "[engine]\nmodels = []",
        "[engine]\nallow_remote = \"yes\"",
        "[engine]\napi_key = \"sk-hunter2\"",
        "token = \"hunter2\"",
        "[memory]\nbudget_mb = 0",
        "[memory]\nbudget_mb = 2147483649",
        "[memory]\nbudget_mb = 99999999999999999999999",
        "[memory]\nbudget_mb = nan",
        "[memory]\nbudget_mb = \"1\"",
        "[hub]\nurl = \"wss://por",
        "[hub]\nurl = \"wss://a.example\"\nurl = \"wss://b.example\"",
    ];
    let lines: Vec<_> = table.iter().map(|text| sentence(from_file(text))).collect();
    for line in &lines {
        assert!(line.contains(PATH) && line.lines().count() == 1 && !line.contains("hunter2"), "{line:?}");
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    hub.url (line 2 of ~/porten/config.toml) must begin with wss://, since the tunnel is a WebSocket; write wss://porten.ai
    hub.ulr (line 2 of ~/porten/config.toml) is not a setting; the nearest one is hub.url
    hubs (line 1 of ~/porten/config.toml) is not a setting; the nearest one is [hub]
    hub (line 1 of ~/porten/config.toml) must be a table: write its name in brackets on a line of its own, and its settings below
    engine.kind (line 4 of ~/porten/config.toml) must be text in quotes, like "openai"
    engine.models (line 2 of ~/porten/config.toml) must be a list in brackets, like ["deepseek-v4-flash"]
    engine.models (line 2 of ~/porten/config.toml) must be a list of texts in quotes, like ["deepseek-v4-flash"]
    engine.models (line 2 of ~/porten/config.toml) lists no model; leave it out to offer every model of the Hub's catalog that the engine serves
    engine.allow_remote (line 2 of ~/porten/config.toml) must be true or false, without quotes
    engine.api_key (line 2 of ~/porten/config.toml) looks like a secret, and Porten keeps none in files: take it out and sign in with `porten login`, which uses the keychain
    token (line 1 of ~/porten/config.toml) looks like a secret, and Porten keeps none in files: take it out and sign in with `porten login`, which uses the keychain
    memory.budget_mb (line 2 of ~/porten/config.toml) is "0", which is not a whole number of MiB from 1 to 2147483648; write 65536 for 64 GiB
    memory.budget_mb (line 2 of ~/porten/config.toml) is "2147483649", which is not a whole number of MiB from 1 to 2147483648; write 65536 for 64 GiB
    memory.budget_mb (line 2 of ~/porten/config.toml) is "99999999999999999999999", which is not a whole number of MiB from 1 to 2147483648; write 65536 for 64 GiB
    memory.budget_mb (line 2 of ~/porten/config.toml) must be a whole number without quotes, like 65536
    memory.budget_mb (line 2 of ~/porten/config.toml) must be a whole number without quotes, like 65536
    ~/porten/config.toml (line 2) is not TOML (invalid basic string, expected `"`); correct it, or move the file away to use the defaults
    ~/porten/config.toml (line 3) is not TOML (duplicate key); correct it, or move the file away to use the defaults
    "#);
}

#[test]
fn a_mistake_in_the_file_is_told_even_where_a_variable_overrules_it() {
    let over = environment(&[("PORTEN_LOG", "info")]);
    let file = SettingsFile { text: "[log]\nlevel = \"loud\"", path: PATH };
    assert!(matches!(read(&over, Some(file)), Err(ConfigError { place: Place::Key { line: 2, .. }, .. })));
}

#[test]
fn a_huge_file_is_not_even_parsed() {
    let text = "#".repeat(MAX_FILE + 1);
    assert!(matches!(from_file(&text), Err(ConfigError { problem: Problem::TooLong, .. })));
    assert!(from_file(&text[1..]).is_ok());
}

#[test]
fn numbers_keep_their_value_in_every_base_and_end_at_two_to_the_31() {
    let budget = |text: &str| from_file(&format!("[memory]\nbudget_mb = {text}")).unwrap().budget_mib.unwrap().value;
    assert_eq!((budget("0x10000"), budget("0b1"), budget("2147483648")), (65_536, 1, MAX_BUDGET_MIB));
    let from_variable = |text: &str| from_environment(&[("PORTEN_VRAM_BUDGET_MB", text)]);
    assert_eq!(from_variable(" 65536 ").unwrap().budget_mib.unwrap().value, 65_536);
    for bad in ["0", "-1", "+1", "1.5", "65_536", "NaN", "2147483649", "1e3", "٣"] {
        assert!(from_variable(bad).is_err(), "{bad}");
    }
}

#[test]
fn variables_of_others_are_left_alone_and_slips_are_not() {
    for (name, other) in [
        ("PORTEN_HOME", "/x"),
        ("PORTEN_HUB_DATABASE", "x"),
        ("PORTENTOUS", "x"),
        ("PORTEN_BIN", "x"),
        ("HOME", "/root"),
    ] {
        assert!(from_environment(&[(name, other)]).is_ok(), "{name}");
    }
    for slip in ["PORTEN_HUB_ULR", "PORTEN_VRAM_BUDGET_MIB", "porten_engine", "PORTENENGINE_URL"] {
        assert!(matches!(from_environment(&[(slip, "x")]), Err(ConfigError { problem: Problem::Unknown { .. }, .. })));
    }
    for (short, meant) in [
        ("PORTEN_HUB", "PORTEN_HUB_URL"),
        ("PORTEN_BUDGET_MB", "PORTEN_VRAM_BUDGET_MB"),
        ("PORTEN_VRAM_BUDGET", "PORTEN_VRAM_BUDGET_MB"),
        ("PORTEN_MODELS", "PORTEN_ENGINE_MODELS"),
        ("PORTEN_URL", "PORTEN_HUB_URL or PORTEN_ENGINE_URL"),
    ] {
        let told = sentence(from_environment(&[(short, "x")]));
        assert_eq!(told, format!("{short} is not a setting; the nearest one is {meant}"));
    }
}

#[test]
fn quotes_around_a_value_are_named_as_the_cause() {
    for (name, value) in [
        ("PORTEN_VRAM_BUDGET_MB", "\"262144\""),
        ("PORTEN_HUB_URL", "'wss://porten.ai'"),
        ("PORTEN_HUB_URL", "“wss://porten.ai”"),
        ("PORTEN_ENGINE", " 'exo' "),
        ("PORTEN_ENGINE_MODELS", "\"a\",\"b\""),
    ] {
        let told = sentence(from_environment(&[(name, value)]));
        assert!(told.starts_with(&format!("{name} begins and ends with quotes")), "{told}");
    }
    let told = sentence(from_file("[hub]\nurl = \"'wss://me:pw@porten.ai'\""));
    assert!(told.contains("quotes") && !told.contains("pw"), "{told}");
}

mod laws {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Fault F3: any text is settings or one short sentence.
        #[test]
        fn no_text_makes_the_reader_fail_but_in_one_short_sentence(
            name in prop::sample::select(keys::ALL.into_iter().filter_map(|key| key.variable).collect::<Vec<_>>()),
            value in "\\PC{0,80}|[a-z:/.@?#=,\u{0}-\u{20}]{0,80}",
            file in "\\PC{0,80}|(\\[?[a-z._\"=\\[\\]{}0-9\n ]{1,8}){0,12}",
        ) {
            let told = [from_environment(&[(name, &value)]), from_file(&file)];
            for error in told.into_iter().filter_map(Result::err) {
                let sentence = error.to_string();
                prop_assert!(!sentence.contains(|c: char| c.is_control()), "{sentence:?}");
                prop_assert!(sentence.chars().count() < 600, "{sentence:?}");
            }
        }

        #[test]
        fn what_counts_as_a_hub_never_gets_a_token_unencrypted(url in "(wss?|https?)://[a-z0-9.:@/\\[\\]-]{1,30}") {
            if let Ok(hub) = HubUrl::read(&url) {
                let local = matches!(hub.tunnel().host_str(), Some("localhost" | "[::1]"))
                    || hub.tunnel().host_str().is_some_and(|host| host.starts_with("127."));
                prop_assert!(hub.tunnel().scheme() == "wss" || local, "{url}");
                let again = HubUrl::read(hub.as_str());
                prop_assert_eq!(again, Ok(hub), "its own spelling reads back");
            }
        }
    }
}

#[test]
fn macs_and_models_have_tables_of_their_own_by_name() {
    let config = from_file(
        "[mac.\"studio-2\"]\nwired_limit_mb = 114_688\n[model.\"deepseek-v4-flash\"]\nfree_after_minutes = 30\ncontext_tokens = 131072\nmax_concurrent = 4\n[engine]\nmax_concurrent = 12\n",
    )
    .unwrap();
    assert_eq!(config.wired_limits, BTreeMap::from([("studio-2".to_owned(), 114_688)]));
    assert_eq!(config.free_after["deepseek-v4-flash"], 30);
    assert_eq!(config.contexts["deepseek-v4-flash"], 131_072);
    assert_eq!(config.models_at_once["deepseek-v4-flash"], 4);
    assert_eq!(config.at_once.map(|set| set.value), Some(12));
    let said = |text| sentence(from_file(text));
    assert_eq!(
        said("[mac.\"studio-2\"]\nwired_limit = 1\n"),
        "mac.\"studio-2\".wired_limit (line 2 of ~/porten/config.toml) is not a setting; the nearest one is wired_limit_mb"
    );
    assert_eq!(
        said("[model.\"m\"]\nfree_after_minutes = 0\n"),
        "model.\"m\".free_after_minutes (line 2 of ~/porten/config.toml) is \"0\"; write a whole number from 1 to 527040"
    );
    assert_eq!(
        said("[engine]\nmax_concurrent = 521\n"),
        "engine.max_concurrent (line 2 of ~/porten/config.toml) is \"521\"; write a whole number from 1 to 520"
    );
    assert!(said("[mac]\nwired_limit_mb = 1\n").contains("write its name in quotes"));
}
