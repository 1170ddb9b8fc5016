// Whoever signs in here has a session for this tab of the browser; without one, an open installation still answers.
const by = (id) => document.getElementById(id);
// The page is in Chinese, or in English if the browser prefers it, like the server's messages.
const isEnglish = /^en\b/i.test(navigator.language);
const say = (zh, en) => (isEnglish ? en : zh);
if (isEnglish) {
  document.documentElement.lang = "en";
  for (const part of document.querySelectorAll("[data-en]")) {
    const words = part.dataset.en;
    if (part.hasAttribute("aria-label")) part.setAttribute("aria-label", words);
    if (part.tagName === "INPUT") part.placeholder = words;
    else if (part.tagName !== "SELECT") part.textContent = words;
  }
}
const credentials = () => {
  const token = sessionStorage.getItem("token");
  return token ? { authorization: `Bearer ${token}` } : {};
};
const send = async (query, variables) => {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json", ...credentials() },
    body: JSON.stringify({ query, variables }),
  });
  if (response.status === 401) sessionStorage.removeItem("token");
  return response.json();
};
const ROLES = {
  REGIONAL_OFFICE: say("区整改办", "regional office"), CITY_OFFICE: say("市整改办", "city office"), COUNTY_OFFICE: say("县整改办", "county office"),
  LEAD_UNIT: say("牵头单位", "lead unit"), RESPONSIBLE_UNIT: say("责任单位", "responsible unit"), SUPERVISING_UNIT: say("督导单位", "supervising unit"),
  LEADER: say("领导", "leader"), INSPECTOR: say("督察组", "inspector"), ADMINISTRATOR: say("系统管理员", "administrator"),
};
let provider = null;
const show = async () => {
  const { data } = sessionStorage.getItem("token") ? await send("{ viewer { name role unit { name } region { name } } }") : {};
  const me = data?.viewer;
  by("me").textContent = me ? `${me.name}（${me.unit?.name ?? me.region?.name ?? ""} ${ROLES[me.role]}）` : say("未登录", "Not signed in");
  for (const id of ["email", "password", "enter"]) by(id).hidden = Boolean(me);
  by("provider").hidden = Boolean(me) || !provider;
  by("leave").hidden = !me;
};
const enter = async (field, query, variables) => {
  let answer = await send(query, variables);
  let given = answer.data?.[field];
  // The password is right: the code of the second factor is asked for as well.
  if (given?.errors?.[0]?.code === "SECOND_FACTOR_REQUIRED") {
    const code = prompt(given.errors[0].message);
    if (!code) return;
    answer = await send(query, { input: { ...variables.input, code } });
    given = answer.data?.[field];
  }
  if (given?.token) sessionStorage.setItem("token", given.token);
  else alert(given?.errors?.[0]?.message ?? answer.errors?.[0]?.message ?? say("登录失败", "Sign-in failed"));
  await show();
};
by("who").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = { email: by("email").value, password: by("password").value };
  by("password").value = "";
  enter("signIn", "mutation($input: SignInInput!) { signIn(input: $input) { token errors { code message } } }", { input });
});
by("demo").addEventListener("change", () => {
  const accountId = by("demo").value;
  if (accountId) enter("signInAsDemo", "mutation($accountId: ID!) { signInAsDemo(accountId: $accountId) { token errors { message } } }", { accountId });
});
by("leave").addEventListener("click", async () => {
  await send("mutation { signOut { isEnded } }");
  sessionStorage.removeItem("token");
  by("demo").value = "";
  await show();
});
// The provider's page is elsewhere: what only this tab knows proves, when the browser is back, that it was this tab that left.
const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
by("provider").addEventListener("click", async () => {
  const proof = hex(crypto.getRandomValues(new Uint8Array(32)));
  const challenge = hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(proof)));
  sessionStorage.setItem("proof", proof);
  const to = location.origin + location.pathname + location.search;
  location.assign(`${provider.url}?${new URLSearchParams({ challenge, to })}`);
});
const code = /^#sign-in-code=(\w+)$/.exec(location.hash)?.[1];
if (code) {
  const input = { code, proof: sessionStorage.getItem("proof") ?? "" };
  sessionStorage.removeItem("proof");
  history.replaceState(null, "", location.pathname + location.search);
  enter("signInWithCode", "mutation($input: SignInWithCodeInput!) { signInWithCode(input: $input) { token errors { message } } }", { input });
}
send("{ installation { isOpen isAwaitingSetUp } signInProvider { name url } demoAccounts { accountId name role region } }").then(({ data }) => {
  const { isOpen, isAwaitingSetUp } = data?.installation ?? {};
  if (isOpen) by("open").textContent = say(
    "开放状态：尚无账户，本机上的任何人无需登录即可查看和更改全部数据。创建第一个账户后自动关闭。",
    "Open: there are no accounts yet, and anyone on this machine can read and change everything without signing in. The first account closes it.",
  );
  if (isAwaitingSetUp) by("open").textContent = say(
    "尚无账户：请用服务启动时输出的初始化代码创建第一个管理员（createFirstAccount）。",
    "There are no accounts yet: create the first administrator with the set-up code that the server printed (createFirstAccount).",
  );
  by("open").hidden = !isOpen && !isAwaitingSetUp;
  provider = data?.signInProvider;
  by("provider").textContent = provider?.name ?? "";
  by("provider").hidden = !provider || !by("leave").hidden;
  for (const { accountId, name, role, region } of data?.demoAccounts ?? []) by("demo").add(new Option(`${region ?? ""} ${ROLES[role]} · ${name}`, accountId));
  by("demo").hidden = !data?.demoAccounts?.length;
});
show();
const tabs = [
  { query: `# 督察轮次：问题按整改进度、措施按时限年份
query Rounds {
  inspectionRounds(first: 20) {
    nodes {
      id name level
      problems(first: 1) { totalCount }
      measures(first: 1) { totalCount }
      problemsByProgress { progress count }
      measuresByDeadlineYear { year count }
    }
  }
}` },
  { query: `# 领导看板：最紧迫的问题在前，各带措施
query Board {
  problems(orderBy: [{field: DUE_ON, direction: ASC}], first: 10) {
    totalCount
    pageInfo { hasNextPage endCursor }
    nodes {
      number title
      deadline { raw dueOn }
      region { name }
      measures(first: 20) { nodes { number content status pace deadline { raw } leadUnit { name } } }
    }
  }
}` },
  { query: `# 挂图作战：按整改状态统计措施
query Statistics {
  statistics(by: STATUS) {
    asOf
    total { all completed closed overdue completionRate }
    rows { label all completed overdue completionRate }
  }
}` },
  { query: `# 实时变化：运行后保持打开，有人填报进展时即出现
subscription Live {
  ledgerChanged { kind at problem { title } measure { number status } assignment { status unit { name } } }
}` },
  { query: `# 定时任务与发件箱
query Scheduler {
  schedules { name cron timeZone misfire nextOccurrences(count: 3) runs(first: 3) { nodes { occurrence state mailsQueued } } }
  mails(first: 10, orderBy: [{field: CREATED_AT, direction: DESC}]) { totalCount nodes { to subject state reason } }
}` },
];
// What the address names comes first, before whatever tabs were left open here: an operation (?query=…&variables=…), or
// the measure or case of a mail's link (?id=…).
const address = new URLSearchParams(location.search);
const linked = address.get("query");
if (linked) tabs.unshift({ query: linked, variables: address.get("variables") ?? "" });
const asked = address.get("id");
const id = asked && /^[a-z]+_\d+$/.test(asked) ? asked : null;
const forgetful = { getItem: () => null, setItem() {}, removeItem() {}, clear() {}, length: 0 };
if (id) tabs.unshift({ query: `# 邮件中的整改措施或交办案件：点击运行查看
query Mail {
  node(id: "${id}") {
    ... on Measure {
      number content status pace
      deadline { raw dueOn ongoing immediate }
      problem { number title round { name } }
      leadUnit { name }
      assignments(first: 50) { nodes { status pace unit { name } latestReport { period text submittedAt } } }
      supervisionActions(first: 10) { nodes { id kind state reason answerBy recipient { name } } }
    }
    ... on InspectionCase { caseNumber: number summary state dueOn isKey region { name } unit: leadUnit { name } reports { nodes { step text } } }
  }
}` });
const failed = (message) => ({ errors: [{ message }] });
// Subscriptions come as server-sent events; each event of kind `next` is an answer. A refusal is a plain answer.
async function* watch(operation, headers) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { ...credentials(), ...headers, "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify(operation),
  });
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
    yield await response.json().catch(() => failed(`订阅失败 · The subscription failed: ${response.status} ${response.statusText}`));
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) {
        yield failed("连接已断开，请重新运行 · The connection was closed: run the subscription again");
        return;
      }
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        const [, kind, data] = /^event: (\w+)\ndata:(.*)$/.exec(event) ?? [];
        if (kind === "complete") return;
        if (kind === "next") yield JSON.parse(data);
      }
    }
  } finally {
    reader.cancel();
  }
}
const ask = (operation, options) => GraphiQL.createFetcher({ url: "/graphql", headers: credentials() })(operation, options);
const fetcher = (operation, options) => {
  const definitions = options?.documentAST?.definitions ?? [];
  const meant = definitions.find(({ kind, name }) =>
    kind === "OperationDefinition" && (!operation.operationName || name?.value === operation.operationName));
  // Those of the Headers tab replace the page's own, however they are capitalized.
  const headers = Object.fromEntries(Object.entries(options?.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  return meant?.operation === "subscription" ? watch(operation, headers) : ask(operation, { ...options, headers });
};
ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, { fetcher, plugins: [GraphiQLPluginExplorer.explorerPlugin({ showAttribution: false })], defaultTabs: tabs, defaultEditorToolsVisibility: false, shouldPersistHeaders: false, ...((id || linked) && { storage: forgetful }) })
);
