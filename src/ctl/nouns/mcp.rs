//! `taosctl mcp`: settings for MCP clients, and the header that they send.

use clap::{Arg, ArgMatches, Command};
use serde_json::json;

use crate::access::Class;
use crate::closed_set::closed_set;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::path;
use crate::ctl::login::context::Context;
use crate::ctl::login::exchange;
use crate::ctl::login::session::Session;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show;
use crate::secret::Plaintext;

/// The noun `mcp` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "mcp",
    about: "Connect clients of the Model Context Protocol",
    entries: &[
        CommandEntry::Own { name: "config", routes: &[], command: config_command, run: config },
        CommandEntry::Own { name: "header", routes: &[], command: header_command, run: header },
    ],
};

closed_set! {
    /// An MCP client with known settings.
    enum McpClient {
        ClaudeCode "claude-code" "The command that adds the server.";
        ClaudeCodeKey "claude-code-key" "The same for a key, which is exchanged for each connection.";
        Codex "codex" "The command that adds the server.";
        VsCode "vscode" ".vscode/mcp.json.";
        Cursor "cursor" "~/.cursor/mcp.json.";
        Inspector "inspector" "The command that lists the tools.";
        Python "python" "A program with the package mcp.";
        TypeScript "typescript" "A program with the package @modelcontextprotocol/client.";
    }
}

/// The default address of the daemon, inside a container as well as on the box.
const LOCAL: &str = "http://127.0.0.1:6969";

/// The settings of a client. They never contain the token itself.
fn settings(client: McpClient, url: &str) -> String {
    let template = match client {
        McpClient::ClaudeCode => {
            "claude mcp add --transport http box URL --header \"Authorization: Bearer $TAOS_TOKEN\"\n"
        }
        McpClient::ClaudeCodeKey => {
            "claude mcp add-json box '{\"type\": \"http\", \"url\": \"URL\", \"headersHelper\": \"taosctl mcp header\"}'\n"
        }
        McpClient::Codex => "codex mcp add box --url URL --bearer-token-env-var TAOS_TOKEN\n",
        McpClient::VsCode => {
            r#"{
  "inputs": [{"type": "promptString", "id": "taos", "description": "Token of the box", "password": true}],
  "servers": {
    "box": {
      "type": "http",
      "url": "URL",
      "headers": {"Authorization": "Bearer ${input:taos}"}
    }
  }
}
"#
        }
        McpClient::Cursor => {
            r#"{
  "mcpServers": {
    "box": {
      "url": "URL",
      "headers": {"Authorization": "Bearer ${env:TAOS_TOKEN}"}
    }
  }
}
"#
        }
        McpClient::Inspector => {
            "mcp-inspector --cli URL --transport http --header \"Authorization: Bearer $TAOS_TOKEN\" --method tools/list\n"
        }
        McpClient::Python => {
            r#"import asyncio, os
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

async def main():
    headers = {"Authorization": "Bearer " + os.environ["TAOS_TOKEN"]}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        async with Client(streamable_http_client("URL", http_client=http)) as box:
            print([tool.name for tool in (await box.list_tools()).tools])

asyncio.run(main())
"#
        }
        McpClient::TypeScript => {
            r#"import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const headers = { Authorization: `Bearer ${process.env.TAOS_TOKEN}` };
const transport = new StreamableHTTPClientTransport(new URL("URL"), { requestInit: { headers } });
const box = new Client({ name: "example", version: "1" });
await box.connect(transport);
console.log((await box.listTools()).tools.map((tool) => tool.name));
await box.close();
"#
        }
    };
    template.replace("URL\"", &format!("{url}\"")).replace("URL ", &format!("{url} "))
}

fn config_command(name: &'static str) -> Command {
    let client = Arg::new("client").value_name("CLIENT").required(true);
    Command::new(name)
        .about("Print the settings of a client")
        .after_help("The settings name the variable TAOS_TOKEN, not the token. The URL is that of --url or TAOS_URL.")
        .arg(client.help("Which client").value_parser(McpClient::SLUGS.to_vec()))
}

fn config(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let named = matches.get_one::<String>("client").and_then(|name| name.parse().ok()).unwrap_or(McpClient::ClaudeCode);
    let server = context.session()?.connection.server.to_string();
    let server = if server.starts_with("http") { server.trim_end_matches('/') } else { LOCAL };
    let text = settings(named, &format!("{server}/mcp"));
    Ok(if context.json {
        show::one_line(&json!({"client": named.slug(), "settings": text}))
    } else {
        Output::text(text)
    })
}

fn header_command(name: &'static str) -> Command {
    Command::new(name).about("Print the header that a client sends, as JSON").after_help(
        "For headersHelper of Claude Code. A key is exchanged for a token that works only at the MCP endpoint.",
    )
}

fn header(context: &Context, _: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let Some(own) = &session.connection.token else {
        return Err(Failure::login("There is no token: the local socket needs none.", "Set TAOS_TOKEN, or log in."));
    };
    let exchanged = exchange::is_key(own.reveal()).then(|| token_for_mcp(&session, own)).transpose()?;
    let bearer = exchanged.as_ref().unwrap_or(own);
    Ok(show::one_line(&json!({"Authorization": format!("Bearer {}", bearer.reveal())})))
}

/// Exchanges the key for a short-lived token for the MCP endpoint.
fn token_for_mcp(session: &Session<'_>, key: &Plaintext) -> Result<Plaintext, Failure> {
    let class = if exchange::is_agent_key(key.reveal()) { Class::Agent } else { Class::User };
    let route = path::route("auth_exchange");
    let body = json!({"audience": "ax-mcp", "requested_token_class": class.as_str()});
    let reply = session.send_for_json(route, route.path, Some(&body))?;
    let token = reply["access_token"].as_str().map(|token| Plaintext::new(token.to_owned()));
    token.ok_or_else(|| Failure::Unexpected("The answer to the exchange holds no token.".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_name_the_server_and_no_template_is_left() {
        for client in McpClient::ALL {
            let text = settings(*client, "http://box:1/mcp");
            assert!(text.contains("http://box:1/mcp") && !text.contains("URL\"") && !text.contains("URL "), "{text}");
        }
    }
}
