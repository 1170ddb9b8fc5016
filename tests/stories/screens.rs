//! Work screens as front-end teams build them: each is one document, one request, and has what the screen shows.

use serde_json::{Value, json};

use crate::support::{Server, World, stories};

stories!(every_work_screen_is_one_request);

/// A screen: what it is, the role that looks at it, its document, and the path of a list that must not be empty.
const SCREENS: &[(&str, &str, &str, &str)] = &[
    (
        "a reporter's to-do list by deadline",
        "RESPONSIBLE_UNIT",
        "query { viewer { tasks(first: 20, orderBy: [{ field: DUE_ON }]) { totalCount groups(by: [KIND]) {
            keys { key label } aggregate { count } }
            nodes { kind dueOn measure { number content } assignment { id version pace status
                availableActions { action isAvailable reason } } } } } }",
        "/viewer/tasks/nodes",
    ),
    (
        "assignments of a unit by deadline",
        "RESPONSIBLE_UNIT",
        "query { assignments(first: 20, filter: { status: [ASSIGNED, IN_PROGRESS, SUBMITTED] },
            orderBy: [{ field: DUE_ON, direction: ASC }]) {
            nodes { id status pace measure { number deadline { raw dueOn } } } } }",
        "/assignments/nodes",
    ),
    (
        "close-out queue of a city",
        "CITY_OFFICE",
        "query { closeOuts(first: 20, filter: { state: [APPLIED, VERIFIED, PUBLICISED] },
            orderBy: [{ field: APPLIED_AT }]) { totalCount nodes { state appliedAt noticeUntil application
                assignment { id version unit { name } measure { number content } }
                availableActions { action mutation isAvailable reason } } } }",
        "/closeOuts/nodes",
    ),
    (
        "history of one measure in words",
        "CITY_OFFICE",
        "query($measure: ID!) { measure(id: $measure) { audit(first: 20) {
            nodes { at label objectId actor { name role } changes { field label before after } } } } }",
        "/measure/audit/nodes",
    ),
    (
        "evidence gallery",
        "CITY_OFFICE",
        "query { evidence(first: 20, filter: { mediaType: { startsWith: \"image/\" } },
            orderBy: [{ field: UPLOADED_AT, direction: DESC }]) {
            nodes { name mediaType viewUrl thumbnailUrl assignment { unit { name } measure { number } } } } }",
        "/evidence/nodes",
    ),
    (
        "a leader's tiles",
        "LEADER",
        "query { all: measures { totalCount } late: measures(filter: { isOverdue: true }) { totalCount }
            done: measures(filter: { status: [CLOSED, CLOSED_ONGOING] }) { totalCount }
            listed: supervisionActions(filter: { kind: [LIST], state: [ISSUED] }) { totalCount }
            cases: inspectionCases(filter: { isOverdue: true }) { totalCount }
            statistics(by: STATUS) { total { all } rows { key label all } } }",
        "/statistics/rows",
    ),
    (
        "extensions that wait for me",
        "CITY_OFFICE",
        "query { viewer { tasks(filter: { kind: [DECIDE_EXTENSION] }) { totalCount nodes { dueOn deadlineChange {
            id reason oldDueOn newDueOn requester { name } measure { number content }
            availableActions { action isAvailable reason } } } } } }",
        "/viewer/tasks/nodes",
    ),
    (
        "supervision that wants an answer",
        "CITY_OFFICE",
        "query { supervisionActions(first: 20, filter: { state: [ISSUED], answerBy: { isNull: false } },
            orderBy: [{ field: ANSWER_BY }]) { nodes { kind reason answerBy issuedAt recipient { name }
                assignment { id } measure { number } } } }",
        "/supervisionActions/nodes",
    ),
    (
        "open objections",
        "CITY_OFFICE",
        "query { closeOuts(first: 20, filter: { hasOpenObjection: true }, orderBy: [{ field: NOTICE_UNTIL }]) {
            nodes { noticeUntil assignment { measure { number } }
                objections { id text receivedOn isUpheld decidedAt
                    availableActions { action isAvailable reason } } } } }",
        "/closeOuts/nodes",
    ),
    (
        "accounts",
        "ADMINISTRATOR",
        "query { accounts(first: 20, filter: { isDisabled: false, email: { search: \"demo\" },
            role: [CITY_OFFICE, LEADER] }, orderBy: [{ field: REGION }, { field: NAME }]) { totalCount
                nodes { name email role unit { name } region { name } signedInAt validUntil } } }",
        "/accounts/nodes",
    ),
    (
        "a problem with everything below it",
        "CITY_OFFICE",
        "query($problem: ID!) { problem(id: $problem) { number title goal status deadline { raw }
            availableActions { action isAvailable reason } measures(first: 50) { nodes { number content status
                availableActions { action isAvailable reason } assignments(first: 20) { nodes { status pace
                    unit { name } latestReport { text submittedAt }
                    availableActions { action isAvailable reason } } } } } } }",
        "/problem/measures/nodes",
    ),
    (
        "unit by quarter, a matrix of checks",
        "CITY_OFFICE",
        "query { checks(filter: { kind: [SELF_INSPECTION] }) { groups(by: [UNIT, QUARTER], first: 1000) {
            groupCount keys { key label } aggregate { count } } } }",
        "/checks/groups",
    ),
    (
        "overdue by sector, problems by domain",
        "CITY_OFFICE",
        "query { problems { groups(by: [DOMAIN, STATUS]) { keys { key } aggregate { count } } }
            measures(filter: { isOverdue: true }) { groups(by: [SECTOR]) { keys { key } aggregate { count } } }
            late: assignments(filter: { isOverdue: true }) { groups(by: [SECTOR, REGION]) {
                keys { key label code } aggregate { count } } } }",
        "/late/groups",
    ),
    (
        "a calendar of deadlines by month",
        "CITY_OFFICE",
        "query { measures { groups(by: [MONTH]) { keys { key } aggregate { count } } } }",
        "/measures/groups",
    ),
    (
        "quantities done and planned, by label",
        "CITY_OFFICE",
        "query { assignments { aggregate { quantities { label unit done target } }
            groups(by: [REGION]) { keys { label code } aggregate { quantities { label unit done target } } } } }",
        "/assignments/aggregate/quantities",
    ),
    (
        "the wall: figures by county on a map",
        "CITY_OFFICE",
        "query { statistics(by: COUNTY) { isCutOff total { all } rows { key label code all completed overdue
            completionRate overdueRate } } }",
        "/statistics/rows",
    ),
    (
        "ranking by lead and by answering unit, with rates",
        "CITY_OFFICE",
        "query { lead: statistics(by: LEAD_UNIT) { rows { rank label completionRate onTimeRate } }
            answering: statistics(by: UNIT, count: ASSIGNMENTS) { rows { rank label all completionRate overdueRate
                checkCompletionRate } } }",
        "/answering/rows",
    ),
    (
        "a calendar of deadlines, steps, extensions, notices, answers and cases",
        "CITY_OFFICE",
        "query($from: Date!, $until: Date!) {
            measures(first: 100, filter: { dueOn: { gte: $from, lte: $until } }, orderBy: [{ field: DUE_ON }]) {
                nodes { number content deadline { dueOn } } }
            milestones(first: 100, filter: { dueOn: { gte: $from, lte: $until }, isDue: true }) { totalCount
                nodes { label dueOn isCompleted measure { number content status } problem { title } } }
            deadlineChanges(filter: { newDueOn: { gte: $from, lte: $until } }) { nodes { newDueOn state } }
            closeOuts(filter: { noticeUntil: { gte: $from, lte: $until } }) { nodes { noticeUntil state } }
            supervisionActions(filter: { answerBy: { gte: $from, lte: $until } }) { nodes { answerBy kind } }
            inspectionCases(filter: { dueOn: { gte: $from, lte: $until } }) { nodes { number dueOn state } } }",
        "/measures/nodes",
    ),
    (
        "a person's notification settings",
        "CITY_OFFICE",
        "query { viewer { email language hasCalendar } myMailSettings { kind isMuted } }",
        "/myMailSettings",
    ),
    (
        "the administrator's mail log",
        "ADMINISTRATOR",
        "query { mails(first: 20, filter: { kind: { in: [\"overdue\"] } }, orderBy: [{ field: CREATED_AT,
            direction: DESC }]) { totalCount groups(by: [STATE]) { keys { key label } aggregate { count } }
                nodes { kind to subject state attempts lastError createdAt unit { name } } } }",
        "/mails/nodes",
    ),
    (
        "two quarters side by side",
        "CITY_OFFICE",
        "query { then: statistics(by: REGION, asOf: \"2026-06-30\") { rows { key label all overdue } }
            now: statistics(by: REGION, asOf: \"2026-09-30\") { rows { key label all overdue } } }",
        "/now/rows",
    ),
    (
        "one search box over everything",
        "CITY_OFFICE",
        "query { search(text: \"整改\", first: 10) { totalCount groups(by: [KIND]) { keys { key label }
            aggregate { count } } nodes { kind rank snippet objectId } } }",
        "/search/nodes",
    ),
    (
        "who reported nothing this month",
        "CITY_OFFICE",
        "query { monthlyAccounts(first: 50, orderBy: [{ field: MISSING, direction: DESC }]) { totalCount
            groups(by: [STATE]) { keys { key label } aggregate { count } }
            nodes { unit { name isReachable } region { name } owedCount missing(first: 3) { nodes {
                measure { number } } } } } }",
        "/monthlyAccounts/groups",
    ),
    (
        "bulletin of cases by county",
        "CITY_OFFICE",
        "query { inspectionCases { groups(by: [REGION, STATE]) { keys { key label code } aggregate { count } } } }",
        "/inspectionCases/groups",
    ),
    (
        "an account to edit",
        "ADMINISTRATOR",
        "query($account: ID!) { account(id: $account) { version name phone email role unit { id name } region { id }
            validUntil isDisabled } units(first: 50, orderBy: [{ field: NAME }]) { nodes { id name } }
            enumLabels(names: [\"Role\"]) { values { value label description } } }",
        "/units/nodes",
    ),
    (
        "trend over twelve months",
        "LEADER",
        "query { monthlyStatistics(months: 12) { asOf total { all completed overdue completionRate } } }",
        "/monthlyStatistics",
    ),
    (
        "public notices",
        "",
        "query { notices(first: 20, filter: { text: { search: \"整改\" }, regionCode: { startsWith: \"99\" },
            noticeFrom: { gte: \"2020-01-01\" } }, orderBy: [{ field: NOTICE_UNTIL, direction: DESC }]) {
                totalCount groups(by: [ROUND, REGION]) { keys { label } aggregate { count } }
                nodes { unit region problem notice contact noticeFrom noticeUntil isOpen closedOn }
                pageInfo { hasNextPage endCursor } } }",
        "/notices/nodes",
    ),
    (
        "inbox, what nobody has acknowledged",
        "RESPONSIBLE_UNIT",
        "query { viewer { inbox(first: 20, filter: { acknowledgedAt: { isNull: true } },
            orderBy: [{ field: CREATED_AT, direction: DESC }]) { totalCount
                nodes { id subject kind createdAt items { dueOn measure { number content } } } } } }",
        "/viewer/inbox/nodes",
    ),
    (
        "which buttons to show",
        "CITY_OFFICE",
        "query($measure: ID!) { measure(id: $measure) { version availableActions { action mutation label isAvailable
            isPermitted reason } } }",
        "/measure/availableActions",
    ),
    (
        "region tree",
        "CITY_OFFICE",
        "query { regions(first: 200, filter: { level: [PROVINCE, PREFECTURE, COUNTY] }) { nodes { id name code level
            parent { id } children(first: 1) { totalCount } } } }",
        "/regions/nodes",
    ),
    (
        "rounds by year",
        "CITY_OFFICE",
        "query { inspectionRounds(first: 50) { groups(by: [YEAR]) { keys { key } aggregate { count } }
            nodes { name kind feedbackOn problems { totalCount } measures { totalCount } } } }",
        "/inspectionRounds/groups",
    ),
    (
        "all that is overdue, urged at once",
        "CITY_OFFICE",
        "mutation($urged: [IssueSupervisionInput!]!) { issueSupervisions(input: { items: $urged }) {
            assignments { id version } errors { code message path } warnings { code } } }",
        "/issueSupervisions/assignments",
    ),
];

/// Signs in as the person of the demo with a role, and returns the token.
pub(crate) fn sign_in(server: &Server, role: &str) -> String {
    let accounts = server.data("{ demoAccounts { accountId role } }", &json!({}))["demoAccounts"].clone();
    let account = accounts.as_array().unwrap().iter().find(|account| account["role"] == role).unwrap();
    let entered = "mutation($account: ID!) { signInAsDemo(accountId: $account) { token } }";
    server.data(entered, &json!({ "account": account["accountId"] }))["signInAsDemo"]["token"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn every_work_screen_is_one_request(world: &World) {
    world.done(&["demo"]);
    for job in ["overdue", "due-soon", "quarterly-self-inspection"] {
        world.done(&["job", "run", job]);
    }
    let server = world.serve();
    let city = sign_in(&server, "CITY_OFFICE");
    object(&server, &city);
    let ids = "{ auditEntries(first: 200) { nodes { measure { id problem { id } } } } }";
    let entries = server.data_as(&city, ids, &json!({}))["auditEntries"]["nodes"].clone();
    let entry = entries.as_array().unwrap().iter().find(|entry| !entry["measure"].is_null()).unwrap();
    let late = "{ assignments(first: 100, filter: { isOverdue: true }) { nodes { id } } }";
    let late = server.data_as(&city, late, &json!({}))["assignments"]["nodes"].clone();
    let urge = |of: &Value| json!({ "assignmentId": of["id"], "kind": "URGE", "reason": "已逾期，请抓紧办理。" });
    let urged: Vec<Value> = late.as_array().unwrap().iter().map(urge).collect();
    let account = server.data_as(&city, "{ viewer { id } }", &json!({}))["viewer"]["id"].clone();
    let variables = json!({ "measure": entry["measure"]["id"], "problem": entry["measure"]["problem"]["id"],
        "from": "2022-01-01", "until": "2028-12-31", "account": account, "urged": urged });
    for (what, role, document, list) in SCREENS {
        // Public notices are read without signing in.
        let data = match *role {
            "" => server.data(document, &variables),
            role => server.data_as(&sign_in(&server, role), document, &variables),
        };
        let shown = data.pointer(list).and_then(Value::as_array).unwrap_or_else(|| panic!("{what}: {data}"));
        assert!(!shown.is_empty(), "{what}: {data}");
    }
}

/// Records an objection to a close-out that is being publicised.
fn object(server: &Server, token: &str) {
    let query = "{ closeOuts(first: 1, filter: { state: [PUBLICISED] }) { nodes { assignment { id } } } }";
    let data = server.data_as(token, query, &json!({}));
    let of = data["closeOuts"]["nodes"][0]["assignment"]["id"].clone();
    let raise = "mutation($input: RaiseObjectionInput!) { raiseObjection(input: $input) { errors { message } } }";
    let input = json!({ "input": { "assignmentId": of, "text": "附近居民反映仍有异味。" } });
    assert_eq!(server.data_as(token, raise, &input)["raiseObjection"]["errors"], json!([]));
}
