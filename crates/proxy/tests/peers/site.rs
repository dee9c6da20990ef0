//! A gateway in front of one service, for clients that come with and without TLS.

use crate::yaml::{self, Running};
use std::path::PathBuf;
use tempfile::TempDir;
use torana_testkit::{Authority, Issued, temp_dir};

/// Certificates of the test's own, in files that other programs read.
pub(crate) struct Keys {
    authority: Authority,
    own: Issued,
    folder: TempDir,
}

impl Default for Keys {
    fn default() -> Self {
        let authority = Authority::default();
        let own = authority.issue(&["127.0.0.1"]);
        let folder = temp_dir();
        for (name, text) in [("ca.pem", &authority.pem), ("own.pem", &own.cert), ("own.key", &own.key)] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self { authority, own, folder }
    }
}

impl Keys {
    fn file(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.to_str().unwrap().to_owned()
    }

    /// Of the authority that signed what is shown.
    pub(crate) fn authority(&self) -> String {
        self.file("ca.pem")
    }

    /// What a server of this address shows, and the key of it.
    pub(crate) fn shown(&self) -> [String; 2] {
        [self.file("own.pem"), self.file("own.key")]
    }

    /// A gateway whose first listener is without TLS and whose second is with it. The service has these keys and answers
    /// everything but `/nowhere`.
    pub(crate) fn gateway(&self, service: &str) -> Running {
        let text = format!(
            "access_log: off
listen:
- {{ address: \":8080\" }}
- {{ address: \":8443\", tls: {{ certificates: {{ cert: own.pem, key: own.key }} }} }}
services: {{ s: {{ {service} }} }}
routes:
- {{ path: /*, service: s }}
- {{ path: /nowhere, respond: {{ status: 404 }} }}
"
        );
        let files = yaml::resolver()
            .with_file("own.pem", &self.own.cert)
            .with_file("own.key", &self.own.key)
            .with_file("ca.pem", &self.authority.pem);
        Running::with_resolver(&text, 1, files)
    }
}

/// How a client comes to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Plain,
    Tls,
}

impl Door {
    pub(crate) fn address(self, gateway: &Running) -> String {
        gateway.addresses[usize::from(self == Self::Tls)].to_string()
    }

    pub(crate) fn url(self, gateway: &Running) -> String {
        let scheme = if self == Self::Tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address(gateway))
    }

    /// What the client has to be told to trust.
    pub(crate) fn trust(self, keys: &Keys) -> Option<String> {
        (self == Self::Tls).then(|| keys.authority())
    }
}
