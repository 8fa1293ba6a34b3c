use maptask_exchange::AUDIENCE;

use super::*;
use crate::serve::exchange::fake_api::{FakeApi, good, token};
use crate::serve::exchange::review::Identity;

/// Tokens, and a clock of their own.
struct Rig {
    tokens: Tokens,
    now: Instant,
}

fn tokens(api: &FakeApi) -> Rig {
    let mut tokens = Tokens::new(api.client(), ExchangeMetrics::default());
    tokens.patience = Duration::from_millis(100);
    Rig { tokens, now: Instant::now() }
}

impl Rig {
    async fn identify(&self, token: &str) -> TokenStatus {
        self.tokens.identify_at(token, self.now).await
    }

    fn advance(&mut self, time: Duration) {
        self.now += time;
    }
}

fn pod(name: &str) -> TokenStatus {
    let uid = format!("uid-{name}").as_str().into();
    TokenStatus::Pod(Identity { namespace: "ns".into(), pod: name.into(), pod_uid: uid })
}

#[tokio::test]
async fn a_token_is_reviewed_once_until_it_ends() {
    let api = FakeApi::default();
    let (mut tokens, mine) = (tokens(&api), good("a"));
    let all = futures::future::join_all((0..50).map(|_| tokens.identify(&mine))).await;
    assert!(all.iter().all(|status| *status == pod("a")));
    assert_eq!(api.reviews(), 1, "fifty requests at once wait for one review");
    tokens.advance(Duration::from_secs(3_500));
    assert_eq!((tokens.identify(&mine).await, api.reviews()), (pod("a"), 1));
    tokens.advance(Duration::from_secs(200));
    assert_eq!((tokens.identify(&mine).await, api.reviews()), (pod("a"), 2));
    let years = token("pod", "b", AUDIENCE, 100_000_000);
    tokens.identify(&years).await;
    tokens.advance(Duration::from_secs(3_700));
    tokens.identify(&years).await;
    assert_eq!(api.reviews(), 4, "for an hour at most");
}

#[tokio::test]
async fn a_clock_that_is_off_by_an_hour_costs_a_review_a_minute() {
    let api = FakeApi::default();
    let (mut tokens, past) = (tokens(&api), token("pod", "a", AUDIENCE, 0));
    for _ in 0..100 {
        assert_eq!(tokens.identify(&past).await, pod("a"), "the API server's word counts, not our clock");
        tokens.advance(Duration::from_secs(1));
    }
    assert_eq!(api.reviews(), 2);
}

#[tokio::test]
async fn a_token_review_that_fails_says_nothing_of_the_token() {
    let api = FakeApi::default();
    let mut tokens = tokens(&api);
    // The second is what the API server answers when the operator's own token is stale.
    for is in ["broken", "denied", "silent"] {
        assert_eq!(tokens.identify(&token(is, "a", AUDIENCE, 3_600)).await, TokenStatus::Failed, "{is}");
    }
    let reviews = api.reviews();
    let broken = token("broken", "b", AUDIENCE, 3_600);
    tokens.identify(&broken).await;
    tokens.identify(&broken).await;
    assert_eq!(api.reviews(), reviews + 1, "remembered for a second");
    tokens.advance(Duration::from_millis(1_100));
    tokens.identify(&broken).await;
    assert_eq!(api.reviews(), reviews + 2, "and no longer");
}

#[tokio::test]
async fn what_is_no_token_for_us_never_reaches_the_api_server() {
    let api = FakeApi::default();
    let tokens = tokens(&api);
    for garbage in ["", "a", "a.b.c", "..", "e30.e30.e30", &token("pod", "a", "https://kubernetes.default.svc", 60)] {
        assert_eq!(tokens.identify(garbage).await, TokenStatus::NotAuthenticated, "{garbage}");
    }
    assert_eq!(api.reviews(), 0);
    for (is, status) in [
        ("bad", TokenStatus::NotAuthenticated),
        ("unaware", TokenStatus::NotAuthenticated),
        ("no pod", TokenStatus::NoPod),
    ] {
        let token = token(is, "a", AUDIENCE, 3_600);
        assert_eq!((tokens.identify(&token).await, tokens.identify(&token).await), (status.clone(), status), "{is}");
    }
    assert_eq!(api.reviews(), 3, "a rejection is remembered");
}

#[tokio::test]
async fn a_flood_of_forged_tokens_is_bounded_in_reviews_and_in_memory() {
    let api = FakeApi::default();
    let mut tokens = tokens(&api);
    let mine = good("mine");
    assert_eq!(tokens.identify(&mine).await, pod("mine"));
    for second in 0..20 {
        for number in 0..1_000 {
            tokens.identify(&token("bad", &format!("{second}-{number}"), AUDIENCE, 3_600)).await;
        }
        tokens.advance(Duration::from_secs(1));
    }
    let most = REVIEW_RATE.1 + 21 * REVIEW_RATE.0;
    assert!(api.reviews() <= most as usize, "{}", api.reviews());
    assert!(tokens.tokens.known.lock().unwrap().len() <= REMEMBERED);
    let reviews = api.reviews();
    assert_eq!((tokens.identify(&mine).await, api.reviews()), (pod("mine"), reviews), "known workers continue");
}
