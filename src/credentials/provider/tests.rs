use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::credentials::Error;

fn key(id: &str) -> Credentials {
    Credentials { access_key_id: id.to_owned(), access_key_secret: "s3cr3t".into(), security_token: None }
}

fn found(id: &str) -> Found {
    Found { credentials: key(id), source: Source::Environment, life: None, files: Vec::new() }
}

/// One that lives for so many milliseconds from now.
fn mortal(id: &str, lasts: u64) -> Found {
    Found { life: Some(Life { began: boot(), lasts: Duration::from_millis(lasts) }), ..found(id) }
}

fn prepared(found: Option<Found>) -> Prepared {
    Prepared { sources: Places::of(&Config::default()), source: Source::Environment, found }
}

fn provider(found: Option<Found>, load: Load) -> Provider {
    Provider::with_sources(prepared(found), load)
}

fn id_of(provider: &Provider) -> String {
    provider.current().credentials.access_key_id.clone()
}

fn not_given() -> Error {
    Error::NotGiven { place: Source::Ecs(None), what: "it is away".to_owned() }
}

#[tokio::test]
async fn two_stages_that_are_refused_with_the_same_key_cause_one_reading() {
    static READINGS: AtomicU32 = AtomicU32::new(0);
    let provider = provider(Some(found("old")), |_| {
        READINGS.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(found("new")) })
    });
    let (submitter, tracker) = (provider.clone(), provider.clone());
    let old = provider.current().generation;
    let both =
        tokio::join!(submitter.refuse(old, AccountFault::UnknownKey), tracker.refuse(old, AccountFault::UnknownKey));
    assert_eq!((both, READINGS.load(Ordering::Relaxed)), ((true, true), 1));
    assert_eq!((id_of(&tracker).as_str(), provider.state().generation), ("new", Generation(2)));
    // A refusal that comes late is of a key that nobody uses any more.
    assert!(provider.refuse(old, AccountFault::UnknownKey).await && READINGS.load(Ordering::Relaxed) == 1);
    assert_eq!(provider.state().refused, None);
}

#[tokio::test]
async fn where_the_sources_have_the_same_key_they_are_not_read_again_before_a_backoff_is_over() {
    static READINGS: AtomicU32 = AtomicU32::new(0);
    let provider = provider(Some(found("old")), |_| {
        READINGS.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(found("old")) })
    });
    assert!(!provider.look_again().await && READINGS.load(Ordering::Relaxed) == 0, "nobody refused it");
    let old = provider.current().generation;
    assert!(!provider.refuse(old, AccountFault::UnknownKey).await);
    assert!(!provider.refuse(old, AccountFault::UnknownKey).await && !provider.look_again().await);
    assert_eq!(READINGS.load(Ordering::Relaxed), 1);
    assert!(!provider.read_again().await && READINGS.load(Ordering::Relaxed) == 2);
    assert_eq!(provider.state().refused, Some(AccountFault::UnknownKey));
    provider.taken(old);
    assert_eq!(provider.state().refused, None);
}

#[tokio::test]
async fn a_source_that_cannot_be_read_leaves_the_key_and_a_reload_brings_another_one() {
    let provider = provider(Some(found("old")), |_| Box::pin(async { Err(Error::None) }));
    let before = provider.state();
    assert!(!provider.refuse(before.generation, AccountFault::UnknownKey).await);
    assert_eq!(id_of(&provider), "old");
    let refused = provider.state();
    provider.replace(prepared(Some(found("old")))).await;
    assert_eq!(provider.state().generation, refused.generation, "the same key is no other one");
    provider.replace(prepared(Some(found("new")))).await;
    provider.changed_from(&refused).await;
    assert_eq!((id_of(&provider).as_str(), provider.state().generation), ("new", Generation(2)));
    assert!(!format!("{provider:?}").contains("s3cr3t"));
}

#[tokio::test]
async fn a_key_that_has_to_be_asked_for_is_waited_for_and_one_that_does_not_come_is_none_with_its_reason() {
    let provider = provider(None, |_| Box::pin(async { Ok(mortal("first", 3_600_000)) }));
    assert!(!provider.current().is_valid() && provider.state().generation == Generation(0));
    let keeper = provider.clone();
    let (got, ()) = tokio::join!(provider.key(), keeper.renew_if_due());
    assert_eq!(got.unwrap().credentials.access_key_id, "first");
    assert!(provider.state().ends_at.is_some() && provider.state().generation == Generation(1));

    let provider = self::provider(None, |_| Box::pin(async { Err(not_given()) }));
    let keeper = provider.clone();
    let (got, ()) = tokio::join!(provider.key(), keeper.renew_if_due());
    assert!(got.unwrap_err().to_string().contains("it is away"));
}

#[tokio::test]
async fn a_renewal_that_fails_keeps_the_key_while_it_lives_and_is_tried_once_a_backoff() {
    static READINGS: AtomicU32 = AtomicU32::new(0);
    let provider = provider(None, |_| {
        let is_first = READINGS.fetch_add(1, Ordering::Relaxed) == 0;
        Box::pin(async move { if is_first { Ok(mortal("only", 2_000)) } else { Err(not_given()) } })
    });
    let keeper = provider.clone();
    let renewing = tokio::spawn(async move { keeper.keep_renewed().await });
    assert_eq!(provider.key().await.unwrap().credentials.access_key_id, "only");
    provider.changed_from(&provider.state()).await;
    let state = provider.state();
    assert!(state.trouble.is_some() && provider.key().await.is_ok(), "it lives: {state:?}");
    assert!(state.problem().unwrap().contains("valid until"), "{state:?}");
    let life = provider.current().life.unwrap();
    tokio::time::sleep(life.ends().saturating_sub(boot())).await;
    assert!(provider.key().await.unwrap_err().to_string().contains("it is away"));
    assert_eq!(READINGS.load(Ordering::Relaxed), 2);
    renewing.abort();
}

#[tokio::test]
async fn a_source_that_has_nothing_but_keys_that_are_over_is_not_asked_in_a_busy_loop() {
    static READINGS: AtomicU32 = AtomicU32::new(0);
    let provider = provider(None, |_| {
        let id = READINGS.fetch_add(1, Ordering::Relaxed).to_string();
        Box::pin(async move { Ok(mortal(&id, 0)) })
    });
    let keeper = provider.clone();
    let _ = tokio::time::timeout(Duration::from_millis(1_200), keeper.keep_renewed()).await;
    assert_eq!(READINGS.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_key_file_that_changes_is_read_without_being_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "one").unwrap();
    let first = Found { files: vec![path.clone()], ..found("old") };
    let provider = provider(Some(first), |_| Box::pin(async { Ok(found("new")) }));
    provider.renew_if_due().await;
    assert_eq!(id_of(&provider), "old");
    std::fs::write(&path, "other").unwrap();
    provider.renew_if_due().await;
    assert_eq!(id_of(&provider), "new");
}
