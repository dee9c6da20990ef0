//! Commands to paste into a shell.

use super::services::Services;
use crate::run::Server;
use std::path::Path;

/// The tour. Everything after the line that says so can be pasted as it stands: comments and commands.
pub(super) fn text(server: &Server, services: &Services, file: &Path) -> String {
    let gateway = server.addresses.first().map(|address| format!("http://{address}")).unwrap_or_default();
    let admin = server.admin().map(|address| format!("http://{address}")).unwrap_or_default();
    let victim = services.of("USERS").next().map(|address| format!("http://{address}")).unwrap_or_default();
    let program = std::env::current_exe().map_or_else(|_| "torana".into(), |path| path.display().to_string());
    let file = file.display();
    format!(
        r#"
The gateway is at {gateway}, its admin pages at {admin}.
The configuration is {file}: change it, and it is reloaded. Ctrl-C ends everything.

Paste these lines into another shell:

# Anybody may ask how it is; everything else wants to know who calls: 401.
curl -s {gateway}/api/health; echo
curl -s -i {gateway}/api/users/7 | head -1

# Log in, and show the token.
TOKEN=$(curl -s {gateway}/api/auth/login -H 'Content-Type: application/json' -d '{{"name":"alice","password":"wonder"}}' | sed 's/.*"token":"\([^"]*\)".*/\1/')
curl -s {gateway}/api/users/7 -H "Authorization: Bearer $TOKEN"; echo

# alice is no admin: 403.
curl -s -i {gateway}/api/admin/stats -H "Authorization: Bearer $TOKEN" | head -1

# Three of four orders go to the first instance.
for i in 1 2 3 4 5 6 7 8; do curl -s {gateway}/api/orders/$i -H "Authorization: Bearer $TOKEN" | sed 's/.*"from":"\([^"]*\)".*/\1/'; echo; done | sort | uniq -c

# Search takes 20 requests a minute, then 429.
curl -s -o /dev/null -w '%{{http_code}}\n' "{gateway}/api/search?q=[1-25]" -H "Authorization: Bearer $TOKEN" | sort | uniq -c

# End one instance of the users: nobody notices.
curl -s -X POST {victim}/stop
for i in 1 2 3 4 5 6; do curl -s -o /dev/null -w '%{{http_code}}\n' {gateway}/api/users/$i -H "Authorization: Bearer $TOKEN"; done | sort | uniq -c

# Why did that happen? And what was counted?
{program} explain {file} GET {gateway}/api/admin/stats -H "Authorization: Bearer $TOKEN"
curl -s {admin}/metrics | grep torana_requests_total
"#
    )
}
