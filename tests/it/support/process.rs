//! The real binary as a child process: for what only a process can show (a kill, signals, exit codes, limits).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::PATIENCE;

/// A temporary folder with a configuration, rules, keys and the store.
pub struct Workspace {
    dir: tempfile::TempDir,
}

/// The survey secret of every workspace. DEMO ONLY.
pub const SECRET: &str = "demo-only-survey-secret";

impl Workspace {
    /// Talks to the platform at `platform`. Each of `more` is TOML that goes over what is there, table by table.
    pub fn new(platform: &str, more: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let this = Self { dir };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (from, to) in [
            ("config/rules.toml", "rules.toml"),
            ("config/demo/demo-client.pem", "client.pem"),
        ] {
            std::fs::copy(root.join(from), this.path(to))
                .expect("the repository's files can be copied");
        }
        this.configure(platform, more);
        this
    }

    /// Writes the configuration anew.
    pub fn configure(&self, platform: &str, more: &[&str]) {
        let mut table: toml::Table = toml::from_str(&format!(
            r#"
            [server]
            listen = "127.0.0.1:0"
            shutdown_delay = "0s"
            [admin]
            listen = "127.0.0.1:0"
            [platform]
            base_url = "{platform}"
            [platform.auth]
            client_id = {{ value = "demo-client" }}
            private_key = {{ file = "client.pem" }}
            [store]
            url = "sqlite:wrapup.db"
            lock_wait = "10s"
            [rules]
            file = "rules.toml"
            [[source]]
            name = "generic"
            preset = "hmac-sha256"
            secrets = [{{ value = "{SECRET}" }}]
            [source.fields]
            interaction_id = {{ path = "$.interactionId", type = "uuid", required = true }}
            csat_score = {{ path = "$.csat_score", type = "number", default = 0 }}
            nps_score = {{ path = "$.nps_score", type = "number", default = 0 }}
            issue_type = {{ path = "$.issue_type", type = "string", default = "", case = "upper" }}
            "#
        ))
        .expect("the test's own TOML");
        for over in more {
            overlay(
                &mut table,
                toml::from_str(over).expect("the test's own TOML"),
            );
        }
        std::fs::write(self.config(), table.to_string())
            .expect("the temporary folder can be written");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("wrapup.toml")
    }

    /// A command of the binary with this configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wrapup"));
        command
            .args(arguments)
            .env("WRAPUP_CONFIG", self.config())
            .env("WRAPUP_LOG_FORMAT", "json")
            .kill_on_drop(true);
        command
    }
}

fn overlay(under: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => overlay(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// `wrapup serve`, running.
pub struct Process {
    pub public: SocketAddr,
    pub admin: SocketAddr,
    child: Child,
    lines: watch::Receiver<Vec<String>>,
}

impl Process {
    /// Starts it and waits until it listens.
    pub async fn serve(workspace: &Workspace) -> Self {
        Self::serve_with(workspace, |command| command).await
    }

    pub async fn serve_with(
        workspace: &Workspace,
        adapt: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let mut command = workspace.command(&["serve"]);
        adapt(command.stderr(Stdio::piped()));
        let mut child = command.spawn().expect("the binary starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let (tell, lines) = watch::channel(Vec::new());
        tokio::spawn(async move {
            let mut reader = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                tell.send_modify(|lines| lines.push(line));
            }
        });
        let mut seen = lines.clone();
        let listening = tokio::time::timeout(
            PATIENCE,
            seen.wait_for(|lines| lines.iter().any(|line| is_listening(line))),
        );
        let Ok(Ok(found)) = listening.await else {
            panic!(
                "the service did not come up:\n{}",
                lines.borrow().join("\n")
            );
        };
        let line = found
            .iter()
            .find(|line| is_listening(line))
            .expect("just found")
            .clone();
        drop(found);
        let event: serde_json::Value = serde_json::from_str(&line).expect("a JSON log line");
        let address = |name: &str| {
            event[name]
                .as_str()
                .and_then(|text| text.parse().ok())
                .expect("an address")
        };
        Self {
            public: address("public"),
            admin: address("admin"),
            child,
            lines,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// SIGKILL, and its end.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// SIGTERM, and its end.
    pub async fn stop(self) -> ExitStatus {
        self.signal("TERM").await;
        self.ended().await
    }

    pub async fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status()
            .await;
        assert!(status.expect("kill runs").success());
    }

    pub async fn ended(mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("it ends in time")
            .expect("it can be waited for")
    }

    /// Everything it has logged until now.
    pub fn log(&self) -> String {
        self.lines.borrow().join("\n")
    }

    /// Waits until a log line holds the text.
    pub async fn logged(&self, text: &str) {
        let mut lines = self.lines.clone();
        let seen = lines.wait_for(|lines| lines.iter().any(|line| line.contains(text)));
        let seen = tokio::time::timeout(PATIENCE, seen)
            .await
            .is_ok_and(|seen| seen.is_ok());
        assert!(seen, "`{text}` was not logged:\n{}", self.log());
    }
}

fn is_listening(line: &str) -> bool {
    line.contains("\"message\":\"listening\"")
}
