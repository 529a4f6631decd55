//! What time changes is put in order by a stage of its own, and nothing depends on its being in time.

use prefetchd::model::{Action, Keys, Lane, ObjectUrl, Priority, Time, UrlRules, from_millis};
use prefetchd::queue::{self, NewUrls, Room};
use prefetchd::store::Store;

const NOW: i64 = 1_795_000_000_000;

fn room(urls_max: u32) -> Room {
    Room { lane: Lane::Prefetch, weakest: Priority::Low, urls_max, domains_max: None }
}

/// A file of one URL, with this deadline.
async fn drop_url(store: &Store, name: &str, deadline: Option<Time>) {
    let rules = UrlRules { url_bytes_max: 200, domains: vec![] };
    let mut urls = NewUrls::default();
    urls.push(
        1,
        &ObjectUrl::parse(&format!("https://vod.example.com/{name}"), &rules).unwrap(),
        Action::Prefetch,
        None,
    );
    let keys = Keys { deadline, ..Keys::default() };
    let now = from_millis(NOW);
    let mut tx = store.write().await.unwrap();
    tx.bulk(|conn| {
        let file = queue::NewFile { name: name.to_owned(), stored_name: name.to_owned(), owner_uid: None };
        let file = queue::register(conn, "", &[file], now)?.remove(0).id;
        queue::set_keys(conn, file, &keys)?;
        queue::enqueue(conn, file, &keys, &urls, now, now)
    })
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_claim_takes_nothing_whose_deadline_has_passed_even_before_it_is_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("a.db")).await.unwrap();
    drop_url(&store, "late.ts", Some(from_millis(NOW + 1_000))).await;
    drop_url(&store, "any-time.ts", None).await;
    for (earliest, urls) in [
        (NOW + 999, vec!["https://vod.example.com/late.ts", "https://vod.example.com/any-time.ts"]),
        (NOW + 1_000, vec!["https://vod.example.com/any-time.ts"]),
    ] {
        let earliest = from_millis(earliest);
        let ready = queue::ready(store.read(), Lane::Prefetch, 10, earliest).await.unwrap();
        assert_eq!(ready.urls as usize, urls.len());
        assert_eq!(ready.expires_at, Some(from_millis(NOW + 1_000)), "housekeeping is told of it all the same");
        let mut tx = store.write().await.unwrap();
        let batch = queue::pick_tx(&mut tx, room(10), &prefetchd::schedule::HostRooms::new(), earliest).await.unwrap();
        let picked: Vec<&str> = batch.urls.iter().map(|url| url.url.as_str()).collect();
        assert_eq!(picked, urls);
        let ids: Vec<_> = batch.urls.iter().map(|url| url.id).collect();
        let (others, suspects) =
            queue::pick_test_tx(&mut tx, &ids, (room(10), &prefetchd::schedule::HostRooms::new()), 10, earliest)
                .await
                .unwrap();
        assert_eq!((others.urls.len(), suspects), (urls.len(), 0));
        tx.roll_back().await.unwrap();
    }
}
