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
            // A grant comes with its own proof: the other one's would be a problem.
            (Some(toml::Value::Table(under)), toml::Value::Table(over))
                if !over.contains_key("grant") =>
            {
                overlay(under, over);
            }
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// What `serve` logs once it can be reached.
const LISTENING: &str = "\"message\":\"listening\"";

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
        Self::launch(workspace, adapt).listening().await
    }

    /// Starts it. It has no addresses before it is [`Self::listening`].
    pub fn launch(workspace: &Workspace, adapt: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let mut command = workspace.command(&["serve"]);
        adapt(command.stderr(Stdio::piped()));
        let mut child = command.spawn().expect("the binary starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let (tell, lines) = watch::channel(Vec::new());
        #[expect(
            clippy::disallowed_methods,
            reason = "it ends with the child that it reads from"
        )]
        tokio::spawn(async move {
            let mut reader = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                tell.send_modify(|lines| lines.push(line));
            }
        });
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            public: nowhere,
            admin: nowhere,
            child,
            lines,
        }
    }

    /// Waits until it listens.
    pub async fn listening(mut self) -> Self {
        self.logged(LISTENING).await;
        let line = self
            .lines
            .borrow()
            .iter()
            .find(|line| line.contains(LISTENING))
            .expect("just found")
            .clone();
        let event: serde_json::Value = serde_json::from_str(&line).expect("a JSON log line");
        let address = |name: &str| {
            event[name]
                .as_str()
                .and_then(|text| text.parse().ok())
                .expect("an address")
        };
        self.public = address("public");
        self.admin = address("admin");
        self
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

    /// Waits for its end, and answers with everything it logged.
    pub async fn last_words(mut self) -> (ExitStatus, String) {
        let mut lines = self.lines.clone();
        let ended = async {
            let status = self.child.wait().await.expect("it can be waited for");
            // The reader lets go at the end of the pipe.
            while lines.changed().await.is_ok() {}
            status
        };
        let status = tokio::time::timeout(PATIENCE, ended)
            .await
            .unwrap_or_else(|_| panic!("it did not end:\n{}", self.log()));
        (status, self.log())
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
