// One screen: a region's board page by page, one of its measures, and the figures. Usage: `node dist/board.js URL CODE`

import { BoardDocument, LookupDocument, MeasureDocument, StatisticsDocument } from './generated.js';
import type { BoardQuery } from './generated.js';
import { ledger, LedgerError } from './ledger.js';
import { table, tell } from './terminal.js';
import { moment, pace, percent, STATUS } from './words.js';

const [url = 'http://127.0.0.1:8080', code = '990100'] = process.argv.slice(2);
const { query } = ledger(url, { token: process.env['RECTIFY_TOKEN'] });

type Page = BoardQuery['problems'];
type Problem = Page['nodes'][number];

/**
 * Yields the pages of the board, most urgent first. Each is requested on demand; a page far down costs no more than the
 * first.
 */
async function* pages(region: string): AsyncGenerator<Page> {
  for (let after: string | null = null; ; ) {
    const { problems }: BoardQuery = await query(BoardDocument, { region, first: 20, after });
    yield problems;
    if (!problems.pageInfo.hasNextPage) return;
    after = problems.pageInfo.endCursor;
  }
}

/** Returns the row of a problem, followed by the rows of its measures. */
function lines({ number, title, deadline, status, region, measures }: Problem): Record<string, string>[] {
  const more = measures.totalCount - measures.nodes.length;
  return [
    { 编号: number ?? '—', 问题与措施: title, 时限: deadline.raw, 状态: STATUS[status], 进度: '', 单位: region.name },
    ...measures.nodes.map((measure) => ({
      编号: `  ${measure.number ?? '—'}`,
      问题与措施: `  ${measure.content}`,
      时限: measure.deadline.raw,
      状态: STATUS[measure.status],
      进度: pace(measure.pace),
      单位: measure.leadUnit?.name ?? '—',
    })),
    ...(more > 0 ? [{ 问题与措施: `  另有 ${more} 条措施` }] : []),
  ];
}

/** Prints the board and returns the id of its first measure. */
async function showBoard(region: string): Promise<string | undefined> {
  let shown = 0;
  let opened: string | undefined;
  for await (const { totalCount, nodes } of pages(region)) {
    shown += nodes.length;
    console.log(`\n共 ${totalCount} 个问题，列至第 ${shown} 个\n`);
    console.log(table(nodes.flatMap(lines)));
    opened ??= nodes.flatMap((problem) => problem.measures.nodes)[0]?.id;
    if (shown >= 40) break; // A real screen would load more pages while its reader scrolls.
  }
  return opened;
}

async function showMeasure(id: string): Promise<void> {
  const { measure } = await query(MeasureDocument, { id });
  if (!measure) return; // Deleted since, or not visible to this account: the API does not distinguish the two.
  const { problem, assignments } = measure;
  console.log(`\n措施 ${measure.number ?? '—'}：${measure.content}`);
  console.log(`问题：${problem.title}（${problem.round.name}，${problem.region.name}）`);
  console.log(`时限：${measure.deadline.raw}　状态：${STATUS[measure.status]}　进度：${pace(measure.pace)}`);
  console.log(`牵头单位：${measure.leadUnit?.name ?? '—'}　责任分解：${assignments.totalCount} 项\n`);
  console.log(
    table(
      assignments.nodes.map(({ unit, status, latestReport, ...assignment }) => ({
        责任单位: unit?.name ?? '—',
        状态: STATUS[status],
        进度: pace(assignment.pace),
        填报时间: latestReport ? moment(latestReport.submittedAt) : '—',
        最新进展: latestReport?.text ?? '—',
      })),
    ),
  );
}

async function showFigures(within: string): Promise<void> {
  const { statistics } = await query(StatisticsDocument, { within });
  console.log(`\n各地整改措施完成情况（截至 ${statistics.asOf}；一条措施涉及几个县，就在几个县各计一次）\n`);
  console.log(
    table(
      [...statistics.rows, { label: '合计', ...statistics.total }].map((row) => ({
        行政区: row.label,
        措施: String(row.all),
        完成: String(row.completed),
        销号: String(row.closed),
        逾期: String(row.overdue),
        完成率: percent(row.completionRate),
        逾期率: percent(row.overdueRate),
      })),
    ),
  );
}

await tell(async () => {
  const { region } = await query(LookupDocument, { code });
  if (!region) throw new LedgerError('NOT_FOUND', `没有代码为 ${code} 的行政区`);
  console.log(`${region.name}整改台账`);
  const opened = await showBoard(region.id);
  if (opened) await showMeasure(opened);
  await showFigures(region.id);
});
