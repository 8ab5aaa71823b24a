//! Remedies in the words of a terminal: what to type, where there is something to type.

use porten_core::remedy::Remedy;

/// The command that does it, or begins it.
pub(super) fn command(remedy: &Remedy) -> Option<String> {
    Some(match remedy {
        Remedy::SignIn { .. } | Remedy::AskToBeAllowed | Remedy::EndOtherAgent => "porten login".to_owned(),
        Remedy::GoOnline => "porten online".to_owned(),
        Remedy::Resume => "porten resume".to_owned(),
        Remedy::TurnOn { model: Some(model) } | Remedy::TryAgain { model } => {
            format!("porten models on {}", word(model))
        }
        Remedy::TurnOn { model: None } => "porten models on ID".to_owned(),
        Remedy::MakeRoom { model } => format!("porten models on {} --anyway", word(model)),
        Remedy::TellLimit { mac: Some(mac), mib: Some(mib) } => format!("porten cluster limit {} {mib}", word(mac)),
        Remedy::TellLimit { mac, .. } => {
            format!("porten cluster limit {} MB", mac.as_deref().map_or("NAME".to_owned(), word))
        }
        Remedy::MatchModel { model } => format!("porten config set engine.models {}=ENGINE-ID", word(model)),
        Remedy::CorrectBudget => "porten config set memory.budget_mb MB, or memory.force true".to_owned(),
        Remedy::LowerBudget | Remedy::SetBudget => "porten config set memory.budget_mb MB".to_owned(),
        Remedy::CheckHubAddress => "porten config set hub.url URL".to_owned(),
        Remedy::StartEngine => "porten config set engine.url URL".to_owned(),
        Remedy::PlugIn | Remedy::AllowAwake => "porten config set power.keep_awake false".to_owned(),
        Remedy::NetworkSignIn
        | Remedy::TrustAuthority
        | Remedy::CheckDate
        | Remedy::ProxyPassword
        | Remedy::CheckNetwork { .. }
        | Remedy::RestartExo
        | Remedy::AwaitExo
        | Remedy::AwaitReplay
        | Remedy::CheckMac { .. }
        | Remedy::CheckCables { .. }
        | Remedy::EnableRdma { .. }
        | Remedy::Nothing
        | Remedy::DisableBridges
        | Remedy::UpdateMacs
        | Remedy::QuitApps { .. }
        | Remedy::FreeDisk { .. }
        | Remedy::AddMemory
        | Remedy::LoadInEngine { .. }
        | Remedy::RestartLoad { .. }
        | Remedy::AwaitModel { .. }
        | Remedy::ChooseModels
        | Remedy::AskHub { .. }
        | Remedy::OtherEngine
        | Remedy::ProveAgain
        | Remedy::AwaitHub
        | Remedy::AwaitRetry
        | Remedy::ShowIcon => return None,
    })
}

/// What to do, whole: `Sign in: porten login`.
pub(super) fn whole(remedy: &Remedy) -> String {
    match (remedy, command(remedy)) {
        (Remedy::StartEngine, Some(command)) => format!("{}; if it is elsewhere: {command}", remedy.advice()),
        (_, Some(command)) => format!("{}: {command}", remedy.advice()),
        (_, None) => remedy.advice(),
    }
}

/// The next step beside a headline: what to type alone, where that says it.
pub(super) fn step(remedy: &Remedy) -> String {
    match (remedy, command(remedy)) {
        (
            Remedy::SignIn { .. } | Remedy::GoOnline | Remedy::Resume | Remedy::TurnOn { .. } | Remedy::TryAgain { .. },
            Some(command),
        ) => command,
        (Remedy::StartEngine, Some(command)) => format!("start it; if it is elsewhere: {command}"),
        _ => whole(remedy),
    }
}

/// As a shell takes it for one word.
fn word(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._/:@-+=,".contains(c);
    if !name.is_empty() && name.chars().all(is_plain) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_is_a_command_where_there_is_one() {
        let model = || "glm-5".to_owned();
        for (remedy, whole_words, short) in [
            (Remedy::SignIn { again: true }, "Sign in again: porten login", "porten login"),
            (
                Remedy::TurnOn { model: Some(model()) },
                "Turn glm-5 on: porten models on glm-5",
                "porten models on glm-5",
            ),
            (Remedy::TurnOn { model: None }, "Turn a model on: porten models on ID", "porten models on ID"),
            (
                Remedy::MakeRoom { model: model() },
                "Turn another model off, or load it anyway, at a Mac's risk: porten models on glm-5 --anyway",
                "Turn another model off, or load it anyway, at a Mac's risk: porten models on glm-5 --anyway",
            ),
            (
                Remedy::AskHub { model: model() },
                "Ask whoever runs the Hub to offer it",
                "Ask whoever runs the Hub to offer it",
            ),
            (
                Remedy::TellLimit { mac: Some("Mac of Zoë's".into()), mib: Some(98_304) },
                "Set it on Mac of Zoë's again (sudo sysctl iogpu.wired_limit_mb=98304), then tell Porten: \
                 porten cluster limit 'Mac of Zoë'\\''s' 98304",
                "Set it on Mac of Zoë's again (sudo sysctl iogpu.wired_limit_mb=98304), then tell Porten: \
                 porten cluster limit 'Mac of Zoë'\\''s' 98304",
            ),
        ] {
            assert_eq!((whole(&remedy).as_str(), step(&remedy).as_str()), (whole_words, short));
        }
    }
}
