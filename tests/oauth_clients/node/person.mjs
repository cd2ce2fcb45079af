// The browser of the person who lets a program in.

export async function person(url, token) {
  const opened = await fetch(`${url}/api/sessions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
  });
  const cookie = opened.headers.get("set-cookie").split(";")[0];
  const headers = { Cookie: cookie, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json" };
  const post = async (path, body) => {
    const answer = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()).redirect_to;
  };
  const decide = async (path, act_as, scope) => {
    await fetch(url + path, { headers });
    return post(path, { decision: "allow", act_as, scope });
  };
  return {
    async allow(link, act_as, scope) {
      const page = await (await fetch(link)).text();
      return new URL(await decide(page.match(/\/oauth\/consent\/[\w-]{43}/)[0], act_as, scope));
    },
    async type(user_code, act_as, scope) {
      return decide(await post("/oauth/device", { user_code }), act_as, scope);
    },
  };
}
