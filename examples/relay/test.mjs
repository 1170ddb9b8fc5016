// Opens the built page in Chromium, beside a second client that acts. Usage: `npm test`, with the address of a new demo in
// LEDGER_URL, and in CHROMIUM the browser, if it is not /usr/bin/chromium.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { chromium } from 'playwright-core';
import { createServer, preview } from 'vite';

const ledger = process.env.LEDGER_URL ?? 'http://127.0.0.1:8080';

/** The second client: executes an operation with a token. */
async function ask(token, query, variables) {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
  const response = await fetch(`${ledger}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

/** Executes a mutation and returns its payload, which must not refuse. */
async function act(token, query, variables) {
  const [payload] = Object.values(await ask(token, query, variables));
  assert.deepEqual(payload.errors, []);
  return payload;
}

const { demoAccounts } = await ask(null, '{ demoAccounts { accountId name role } }');
const accountOf = (wanted) => demoAccounts.find(({ role }) => role === wanted);
const enter = 'mutation($account: ID!) { signInAsDemo(accountId: $account) { token errors { message } } }';
const { token: office } = await act(null, enter, { account: accountOf('REGIONAL_OFFICE').accountId });

const server = await preview({ preview: { port: 0, host: '127.0.0.1' }, logLevel: 'error' });
const development = await createServer({ server: { port: 0, host: '127.0.0.1' }, logLevel: 'error' });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
const page = await browser.newPage({ locale: 'zh-CN' });
const wrong = [];
page.on('pageerror', (error) => wrong.push(String(error)));
page.on('console', (message) => ['error', 'warning'].includes(message.type()) && wrong.push(message.text()));
page.setDefaultTimeout(20_000);
// The sockets of the page, to be able to interrupt its live updates.
const sockets = [];
await page.routeWebSocket('**/graphql/ws', (socket) => {
  socket.connectToServer();
  sockets.push(socket);
});

const told = (step) => console.log(`✓ ${step}`);
const rows = page.locator('tbody tr');
const row = (title) => rows.filter({ hasText: title });
const count = async () => Number(/共 (\d+) 个/.exec(await page.locator('caption').innerText())[1]);

/** Waits until the page shows a number of rows, or of matches of another locator. */
const until = (locator, number) => assert.doesNotReject(async () => {
  for (const end = Date.now() + 20_000; (await locator.count()) !== number; await page.waitForTimeout(50)) {
    if (Date.now() > end) throw new Error(`expected ${number} of ${locator}, found ${await locator.count()}`);
  }
});

const axe = readFileSync(new URL('../../tests/axe.min.js', import.meta.url), 'utf8');

/** Checks what is shown for faults of accessibility. */
async function accessible() {
  await page.evaluate(axe);
  const { violations } = await page.evaluate('axe.run()');
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), []);
}

/** Signs in to a demo account, and waits for the list and for the second reading, when live updates have become active. */
async function signIn(role) {
  const { name } = accountOf(role);
  const active = page.waitForRequest((request) => request.postData()?.includes('ProblemsPageQuery'));
  await page.getByRole('button', { name }).first().click();
  await page.getByRole('heading', { name: '云溪市整改台账' }).waitFor();
  await active;
  await rows.first().waitFor();
}

try {
  await page.goto(server.resolvedUrls.local[0]);
  await page.getByRole('button', { name: '演示' }).first().waitFor();
  await accessible();
  await signIn('CITY_OFFICE');
  const total = await count();
  await until(rows, 10);
  await page.getByRole('button', { name: '再列' }).click();
  await until(rows, 20);
  told(`lists 10 of ${total} problems, then 20`);

  const { problems } = await ask(office, `query { problems(first: 1, orderBy: [{ field: DUE_ON }]) {
    nodes { id title version region { id } round { id } } } }`);
  const [first] = problems.nodes;
  const edit = 'mutation($input: EditProblemInput!) { editProblem(input: $input) { problem { version } errors { message } } }';
  const rename = async (title) => {
    const { problem } = await act(office, edit, { input: { problemId: first.id, version: first.version, title } });
    first.version = problem.version;
    await row(title).waitFor();
    await until(rows, 20);
  };
  await rename('另一客户端改过的题目');
  told('an edit by a second client changes the row');
  await sockets.at(-1).close({ code: 1012 });
  await rename('推送中断时改过的题目');
  told('an edit while live updates are interrupted, too');

  const create = 'mutation($input: CreateProblemInput!) { createProblem(input: $input) { problem { id version } errors { message } } }';
  const input = { roundId: first.round.id, regionId: first.region.id, title: '另一客户端新增的问题', deadline: '2020年1月1日' };
  const { problem } = await act(office, create, { input });
  await row(input.title).waitFor();
  assert.equal(await count(), total + 1);
  told('a problem that a second client creates comes into the list and its total');
  const remove = 'mutation($input: DeleteProblemInput!) { deleteProblem(input: $input) { errors { message } } }';
  await act(office, remove, { input: { problemId: problem.id, version: problem.version } });
  await until(row(input.title), 0);
  assert.equal(await count(), total);
  told('a problem that a second client deletes leaves both');

  await page.getByLabel('状态').selectOption('CLOSED');
  await page.waitForFunction(() => [...document.querySelectorAll('tbody tr')].every((row) => row.textContent.includes('已销号')));
  assert.ok((await count()) < total);
  await page.getByLabel('状态').selectOption('');
  await until(rows, 10);
  told('filters by status');

  await page.getByRole('button', { name: '离开' }).click();
  await signIn('RESPONSIBLE_UNIT');
  const forms = page.getByText('填报进展', { exact: false }).and(page.locator('summary'));
  for (const link of await rows.getByRole('button').all()) {
    await link.click();
    await page.getByRole('heading', { name: /^整改措施/ }).waitFor();
    if (await forms.count()) break;
  }
  const item = page.getByRole('listitem').filter({ has: forms }).first();
  await item.locator('summary').click();
  await item.getByLabel('进展情况').fill('已完成管网排查。');
  await item.getByRole('button', { name: '填报' }).click();
  await page.getByText('：已完成管网排查。').waitFor();
  told('a report of the page changes the assignment');

  const { token: unit } = await act(null, enter, { account: accountOf('RESPONSIBLE_UNIT').accountId });
  const { assignments } = await ask(unit, `query { assignments(filter: { reports: { some: { text: { search: "管网排查" } } } }) {
    nodes { id version latestReport { text period } } } }`);
  const { id, version, latestReport } = assignments.nodes.find(({ latestReport: { text } }) => text === '已完成管网排查。');
  const report = 'mutation($input: ReportProgressInput!) { reportProgress(input: $input) { errors { message } } }';
  await act(unit, report, { input: { assignmentId: id, version, period: latestReport.period, text: '方案已印发。' } });
  await page.getByText('：方案已印发。').waitFor();
  told('a report by a second client changes it, too');
  await accessible();

  // The page that is built as it is requested, which also has the warnings of React and Relay.
  await development.listen();
  await page.goto(development.resolvedUrls.local[0]);
  await signIn('CITY_OFFICE');
  await rows.getByRole('button').first().click();
  await page.getByRole('heading', { name: /^整改措施/ }).waitFor();
  told('the page of `npm start` works, too');

  assert.deepEqual(wrong, []);
} catch (error) {
  console.error(await page.locator('body').innerText().catch(String), wrong);
  throw error;
} finally {
  await browser.close();
  await server.close();
  await development.close();
}
