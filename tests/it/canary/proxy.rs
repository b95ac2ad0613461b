//! The way to the platform through a proxy that wants a password.

use super::*;

/// A proxy's password stands in a variable that is not ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_of_a_proxy_is_never_logged() {
    let settings = Settings {
        token_url: Some("http://platform.test/oauth/token".to_owned()),
        ..Settings::default()
    };
    let simulator = simulator::with(settings).await;
    let control = simulator.control();
    let workspace = Workspace::new(
        "http://platform.test",
        &["[platform.rate_limit]\nrequests = 2000\n"],
    );
    let needles = Needles::new(&workspace);
    // The simulator serves as the proxy: it sees the path and does not mind the host.
    let good = simulator
        .base_url()
        .replace("http://", "http://someone:canary@");
    for (proxy, works) in [
        (good.as_str(), true),
        ("http://someone:canary@127.0.0.1:1", false),
    ] {
        let service = Process::serve_with(&workspace, |command| {
            command
                .env("RUST_LOG", "trace")
                .env_remove("NO_PROXY")
                .env_remove("no_proxy")
                .env("http_proxy", proxy)
                .env("HTTP_PROXY", proxy)
                .env("HTTPS_PROXY", proxy)
        });
        let service = service.await;
        let told = if works {
            "the code book is loaded"
        } else {
            "no connection to the platform"
        };
        service.logged(told).await;
        service.signal("TERM").await;
        service.logged("\"message\":\"shut down\"").await;
        needles.search(proxy, &service.log());
        assert!(service.ended().await.success());
    }
    assert!(!control.calls().is_empty());
}
