//! One host makes way for another, as the table in core says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use porten_agent::agent::Ended;
use porten_agent::seat::{Taken, stand_by, take};
use porten_core::command::{Command, DeclinedCode};
use porten_core::seat::Host;

use crate::support::agent::offline;
use crate::support::hub::Hub;
use crate::support::soon;

#[tokio::test]
async fn an_app_makes_way_for_a_service_and_nobody_else_does() {
    let hub = Hub::start().await;
    let home = offline(&hub.url).await;
    for (ours, asks) in [(Host::Run, Host::Service), (Host::Service, Host::App), (Host::App, Host::Run)] {
        let mut agent = home.start_as(ours);
        let declined = agent.client().send(Command::Yield { to: asks }).await.unwrap_err();
        assert_eq!(declined.code, DeclinedCode::DoesNotYield, "{ours:?} {asks:?}");
        agent.quit(Duration::ZERO);
        assert_eq!(soon("the end", agent.ended()).await, Ended::Done);
    }
}

#[tokio::test]
async fn who_stands_by_has_the_app_make_way_and_takes_its_seat() {
    let hub = Hub::start().await;
    let home = offline(&hub.url).await;
    let Taken::Ours(seat) = take(&home.places, Host::App).unwrap() else { panic!("the seat is free") };
    let mut agent = home.start_as(Host::App);
    let told = Arc::new(Mutex::new(Vec::new()));
    let (places, tells) = (home.places.clone(), Arc::clone(&told));
    let waiting = tokio::spawn(async move {
        stand_by(&places, Host::Service, |text| tells.lock().unwrap().push(text.to_owned())).await
    });
    assert_eq!(soon("the app makes way", agent.ended()).await, Ended::Yielded);
    assert!(!waiting.is_finished(), "the seat is still taken");
    drop(seat);
    let _seat = soon("the service has the seat", waiting).await.unwrap().unwrap();
    let told = told.lock().unwrap();
    assert!(told.len() == 1 && told[0].starts_with("The Porten app (process "), "{told:?}");
}
