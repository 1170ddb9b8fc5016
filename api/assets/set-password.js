// The link's token stands behind the `#`, so that it reaches no server's log; it is taken out of the address at once.
const by = (id) => document.getElementById(id);
const token = /^#token=(\w+)$/.exec(location.hash)?.[1] ?? "";
history.replaceState(null, "", location.pathname);
const send = async (query, input) => {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ query, variables: { input } }),
  });
  return response.json();
};
const reason = (answer, field) => answer.data?.[field]?.errors?.[0]?.message ?? answer.errors?.[0]?.message ?? "";
const say = (words) => {
  by("set").hidden = by("ask").hidden = true;
  by("done").hidden = false;
  by("done").textContent = words;
};
by("set").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (by("password").value !== by("again").value) {
    by("why").textContent = "两次输入的密码不一致。";
    return;
  }
  const query = "mutation($input: SetPasswordWithLinkInput!) { setPasswordWithLink(input: $input) { isDone errors { code message } } }";
  const answer = await send(query, { token, password: by("password").value });
  if (answer.data?.setPasswordWithLink?.isDone) {
    say("密码已设置，请用新密码登录。");
    return;
  }
  by("why").textContent = reason(answer, "setPasswordWithLink") || "未能设置密码，请稍后再试。";
  by("ask").hidden = answer.data?.setPasswordWithLink?.errors?.[0]?.code !== "SIGN_IN_FAILED";
});
by("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const query = "mutation($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { isDone errors { message } } }";
  const answer = await send(query, { email: by("email").value });
  if (answer.data?.requestPasswordReset?.isDone) say("如果该邮箱有账户，新的链接已发送，请查收邮件。");
  else by("why").textContent = reason(answer, "requestPasswordReset") || "未能发送，请稍后再试。";
});
by(token ? "set" : "ask").hidden = false;
