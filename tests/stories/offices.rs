//! Ledgers with the layouts that offices use: what each column is taken for, what is asked, and what becomes of it.

use serde_json::{Value, json};

use crate::support::{Ran, World, asked, stories};

stories!(
    the_status_of_each_measure_is_told_from_the_rating_of_the_problem,
    a_merged_sheet_that_was_saved_as_text_means_as_above,
    a_sheet_for_each_problem_has_its_problem_above_the_table,
    a_months_account_reports_on_measures,
    what_is_behind_and_reported_is_kept_apart_from_what_is_behind,
    a_list_of_close_outs_has_their_dates,
    the_figures_of_a_published_report_come_out_as_printed,
    what_a_file_hides_is_said_and_lists_of_units_are_read,
    what_is_exported_comes_back_unchanged,
    an_export_has_the_headings_of_the_imported_file,
    tasks_are_a_level_between_problems_and_measures,
    complaint_cases_are_imported_from_their_published_list,
    lists_of_cases_have_batches_classes_repeats_and_assisting_units,
    a_mapping_file_answers_what_an_import_asks,
    a_written_mapping_is_accepted_unchanged,
    a_sheet_without_a_date_is_read_with_none,
    what_was_decided_is_remembered_for_the_same_headings,
    one_of_several_lead_units_is_asked_for,
    texts_that_likely_mean_not_applicable_are_confirmed_together,
);

fn file(name: &str) -> String {
    format!("{}/tests/ledgers/offices/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Makes the regions that the files speak of.
fn regions(world: &World) {
    world.done(&["migrate"]);
    world.done(&["region", "add", "云川省", "--code", "990000", "--parent", "100000"]);
    world.done(&["region", "add", "云溪市", "--code", "990100", "--parent", "990000"]);
    for (code, name) in [("990121", "白河县"), ("990122", "青坪县"), ("990123", "东岭县")] {
        world.done(&["region", "add", name, "--code", code, "--parent", "990100"]);
    }
}

const HOW: [&str; 6] = ["--round", "演示轮次", "--region", "990100", "--as-of", "2024-06-30"];

fn run(world: &World, file: &str, more: &[&str]) -> Ran {
    world.run(&[&["import", file][..], &HOW, more].concat())
}

/// Imports a file, creating units, and returns what the program said.
fn import(world: &World, name: &str) -> String {
    regions(world);
    let ran = run(world, &file(name), &["--create-units"]);
    assert_eq!(ran.code, 0, "{name}: {}", ran.out);
    ran.out
}

/// Returns the measures of the ledger, by problem and position.
fn measures(world: &World) -> Vec<Value> {
    let query = "{ problems(first: 10) { nodes { number title goal source measures(first: 10) { nodes {
        number content status completedOn task taskNumber statedCloseOut remark problem { number title goal source }
        leadUnit { name } supervisingUnit { name }
        responsibleParties(first: 10) { nodes { raw unit { name } selector } }
        assignments(first: 9) { nodes { status unit { name }
            reports(first: 5) { nodes { text stated difficulties nextSteps quantities { label done target unit } } }
            closeOuts(first: 3) { nodes { state noticeFrom noticeUntil closedOn documentNumber } }
            checks(first: 3) { nodes { kind madeOn } } } } } } } } }";
    let data = world.serve().data(query, &json!({}));
    let problems = data["problems"]["nodes"].as_array().unwrap().clone();
    problems.iter().flat_map(|problem| problem["measures"]["nodes"].as_array().unwrap().clone()).collect()
}

/// Returns one field of all measures.
fn each(measures: &[Value], path: &str) -> Vec<String> {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    measures.iter().map(|one| shown(one.pointer(path).unwrap_or(&Value::Null))).collect()
}

fn the_status_of_each_measure_is_told_from_the_rating_of_the_problem(world: &World) {
    let said = import(world, "1c-one-row-heading.xlsx");
    assert!(said.contains("K 列 完成情况：完成状态（很可能：同一问题各行不同）"), "{said}");
    assert!(!said.contains("李某某"), "names of people are not shown: {said}");
    let measures = measures(world);
    let done = "2024-06-30";
    assert_eq!(each(&measures, "/completedOn"), [done, "null", "null", done, "null", "null"]);
    assert_eq!(each(&measures, "/statedCloseOut"), ["未销号"; 6]);
    let lead = "市住房城乡建设局";
    assert_eq!(each(&measures, "/leadUnit/name")[..3], [lead; 3]);
}

fn a_merged_sheet_that_was_saved_as_text_means_as_above(world: &World) {
    let said = import(world, "1d-merged-saved-as.csv");
    assert!(said.contains("空白的牵头单位等按“同上”读取，共 4 行"), "{said}");
    let measures = measures(world);
    assert_eq!(each(&measures, "/leadUnit/name")[3..], ["市自然资源局"; 3]);
    assert_eq!(each(&measures, "/supervisingUnit/name")[..3], ["市委督查室"; 3]);
    let parties = |measure: &Value| measure["responsibleParties"]["nodes"].as_array().unwrap().len();
    assert!(measures.iter().all(|measure| parties(measure) >= 4), "{measures:?}");
}

fn a_sheet_for_each_problem_has_its_problem_above_the_table(world: &World) {
    let said = import(world, "2-sheet-per-problem.xlsx");
    assert!(said.contains("3 个问题、9 条措施"), "{said}");
    let measures = measures(world);
    assert_eq!(each(&measures, "/problem/number")[..4], ["1", "1", "1", "2"]);
    assert_eq!(each(&measures, "/problem/goal"), ["按期完成整改并长期保持。"; 9]);
    assert_eq!(each(&measures, "/leadUnit/name"), ["市水利局"; 9]);
}

fn a_months_account_reports_on_measures(world: &World) {
    let said = import(world, "3-monthly-account.xlsx");
    assert!(said.contains("月调度表") && said.contains("第 7 行是表下说明"), "{said}");
    let measures = measures(world);
    let report = &measures[0]["assignments"]["nodes"][0]["reports"]["nodes"][0];
    assert_eq!(
        (&report["text"], &report["stated"], &report["difficulties"], &report["nextSteps"]),
        (&json!("完成初步设计批复。"), &json!("达到序时进度"), &json!("资金缺口2300万元。"), &json!("争取专项债。"))
    );
    let share = &report["quantities"][0];
    assert_eq!((&share["label"], &share["unit"]), (&json!("累计完成比例"), &json!("%")));
    assert_eq!((share["done"].as_f64(), share["target"].as_f64()), (Some(35.0), Some(100.0)));
    let last = &measures[3]["assignments"]["nodes"][0]["reports"]["nodes"][0];
    assert_eq!(last["stated"], "未达序时进度");
    let again = run(world, &file("3-monthly-account.xlsx"), &["--kind", "progress"]);
    assert!(again.out.contains("没有变化"), "{}", again.out);
}

/// A month's account: on schedule, behind, behind and reported in three spellings, and completed.
const PACES: &str = "序号,反馈问题,整改任务,整改时限,牵头单位,责任单位,本月进展情况,是否达到序时进度\n\
    1,水厂超负荷。,1.扩建。,2024年12月底,市住建局,市住建局,完成设计。,是\n\
    ,,2.清淤。,2024年12月底,市住建局,市住建局,开工较晚。,否\n\
    ,,3.调试。,2024年12月底,市住建局,市住建局,设备未到。,否（已报备）\n\
    ,,4.验收。,2024年12月底,市住建局,市住建局,资料不齐。,未达序时进度，已报备\n\
    ,,5.移交。,2024年12月底,市住建局,市住建局,尚未移交。,已报备\n\
    ,,6.清运。,2024年12月底,市住建局,市住建局,已清运。,已完成\n";

fn what_is_behind_and_reported_is_kept_apart_from_what_is_behind(world: &World) {
    regions(world);
    let sheet = world.file("月调度.csv", PACES.as_bytes());
    let ran = run(world, &sheet, &["--create-units", "--accept"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let server = world.serve();
    let query = "{ measures(first: 9) { nodes { statedPace assignments(first: 1) { nodes { statedPace
            reports(first: 1) { nodes { stated } } } } }
            groups(by: [STATED_PACE]) { keys { key } aggregate { count } } }
        reported: measures(filter: {statedPace: [BEHIND_AND_REPORTED]}) { totalCount }
        behind: measures(filter: {statedPace: [BEHIND]}) { totalCount }
        different: measures(filter: {isPaceDifferent: true}) { totalCount } }";
    let said = server.data(query, &json!({}));
    let listed = said["measures"]["nodes"].as_array().unwrap();
    let reported = "BEHIND_AND_REPORTED";
    let paces = ["ON_SCHEDULE", "BEHIND", reported, reported, reported, "ON_SCHEDULE"];
    assert_eq!(each(listed, "/statedPace"), paces);
    assert_eq!(each(listed, "/assignments/nodes/0/statedPace"), paces);
    let told = each(listed, "/assignments/nodes/0/reports/nodes/0/stated");
    assert_eq!(told[1..3], ["未达序时进度", "未达序时进度（已报备）"]);
    assert_eq!((&said["reported"]["totalCount"], &said["behind"]["totalCount"]), (&json!(3), &json!(1)));
    assert_eq!(said["measures"]["groups"][0]["keys"][0]["key"], reported, "{said}");
    // By now all of it is overdue, which is another pace, whether it was reported or not.
    assert_eq!(said["different"]["totalCount"], 6);
    // It comes back as it was stated, and the same sheet changes nothing.
    let copy = world.file("copy.xlsx", b"");
    world.done(&["export", &copy, "--round", HOW[1]]);
    let paces: Vec<String> = lines(&copy)[2..].iter().map(|line| line[7].clone()).collect();
    assert_eq!(paces, ["否", "否", "否（已报备）", "否（已报备）", "否（已报备）", "否"]);
    let again = run(world, &copy, &["--kind", "progress"]);
    assert!(again.out.contains("没有变化"), "{}", again.out);
    // The page of figures counts them apart.
    world.done(&["unit", "add", "云川省整改办", "--region", "990000"]);
    world.employ("office@example.org", "REGIONAL_OFFICE", "云川省整改办");
    let cookie = format!("rectify={}", server.sign_in("office@example.org"));
    let wall = asked(&server, "GET", "/wall", &[("cookie", &cookie)], b"").body;
    assert!(wall.contains("未达序时进度（已报备） 3") && wall.contains("未达序时进度 1"), "{wall}");
}

fn a_list_of_close_outs_has_their_dates(world: &World) {
    import(world, "4-close-out-list.xlsx");
    let measures = measures(world);
    assert_eq!(each(&measures, "/problem/source"), ["中央第二轮督察", "省级督察“回头看”"]);
    let answers: Vec<&Value> = measures.iter().map(|measure| &measure["assignments"]["nodes"][0]).collect();
    assert_eq!((&answers[0]["status"], &answers[1]["status"]), (&json!("CLOSED"), &json!("PUBLICISED")));
    assert_eq!(
        answers[0]["closeOuts"]["nodes"][0],
        json!({"state": "CLOSED", "noticeFrom": "2023-12-11", "noticeUntil": "2023-12-15", "closedOn": "2023-12-20",
            "documentNumber": "云整改办〔2023〕18号"})
    );
    let check = &answers[1]["checks"]["nodes"][0];
    assert_eq!(*check, json!({"kind": "SELF_INSPECTION", "madeOn": "2024-03-01"}));
    assert_eq!(measures[1]["remark"], "公示期满待销号");
}

fn the_figures_of_a_published_report_come_out_as_printed(world: &World) {
    import(world, "001-ali.xlsx");
    let server = world.serve();
    let query = r#"query($day: Date!) {
        before: statistics(asOf: "2024-01-01", by: STATUS) { total { all completed overdue unknown completionRate } }
        problems: statistics(asOf: $day, by: STATUS, count: PROBLEMS) { total { all completed } }
        measures: statistics(asOf: $day, by: STATUS) { total { all completed unknown } }
        in2018: measures(filter: {dueOn: {gte: "2018-01-01", lte: "2018-12-31"}}) {
            groups(by: [STATED_PACE]) { keys { key } aggregate { count } } }
        later: measures(filter: {dueOn: {gte: "2019-01-01", lte: "2020-12-31"}}) {
            groups(by: [STATED_PACE]) { keys { key } aggregate { count } } }
        undated: measures(filter: {dueOn: {isNull: true}}) {
            groups(by: [STATED_PACE]) { keys { key } aggregate { count } } }
        different: measures(filter: {isPaceDifferent: true}) { nodes { statedPace pace statedPaceOn } }
        done: measures(first: 1, filter: {isCompleted: true}) { nodes { completedOn isCompletedBy } } }"#;
    let said = server.data(query, &json!({ "day": "2024-06-30" }));
    assert_eq!(said["problems"]["total"], json!({"all": 21, "completed": 15}));
    assert_eq!(said["measures"]["total"], json!({"all": 78, "completed": 68, "unknown": 0}));
    let split = |name: &str| -> Vec<(String, u64)> {
        let groups = said[name]["groups"].as_array().unwrap().iter();
        groups
            .map(|one| {
                (one["keys"][0]["key"].as_str().unwrap().to_owned(), one["aggregate"]["count"].as_u64().unwrap())
            })
            .collect()
    };
    let group = |pace: &str, count: u64| (pace.to_owned(), count);
    assert_eq!(split("in2018"), [group("DONE", 17)]);
    assert_eq!(split("later"), [group("DONE", 18), group("BEHIND", 6), group("ON_SCHEDULE", 4)]);
    assert_eq!(split("undated"), [group("DONE", 33)]);
    // Those on schedule are overdue by now, which the ledger could not know.
    let different = said["different"]["nodes"].as_array().unwrap();
    assert_eq!(different.len(), 10);
    assert!(different.iter().all(|one| one["pace"] == "OVERDUE" && one["statedPaceOn"] == "2024-06-30"));
    assert_eq!(said["done"]["nodes"][0], json!({"completedOn": "2024-06-30", "isCompletedBy": true}));
    // Before the ledger's date nobody knows what was completed, so that nothing is late for that.
    let before = &said["before"]["total"];
    assert_eq!((&before["completed"], &before["unknown"], &before["overdue"]), (&json!(0), &json!(68), &json!(10)));
    assert!(before["completionRate"].is_null());
}

fn what_is_exported_comes_back_unchanged(world: &World) {
    regions(world);
    let copy = world.file("copy.xlsx", b"");
    for name in ["1-two-row-heading.xlsx", "2-sheet-per-problem.xlsx", "4-close-out-list.xlsx", "001-ali.xlsx"] {
        let round = ["--round", name, "--region", "990100", "--as-of", "2024-06-30"];
        world.done(&[&["import", &file(name), "--create-units"][..], &round].concat());
        world.done(&["export", &copy, "--round", name]);
        let again = world.done(&[&["import", &copy][..], &round].concat());
        assert!(again.contains("没有变化"), "{name}: {again}");
    }
}

/// Returns the lines of the first sheet of a file.
fn lines(path: &str) -> Vec<Vec<String>> {
    workbook::open("台账", std::fs::read(path).unwrap()).unwrap()[0].lines()
}

fn an_export_has_the_headings_of_the_imported_file(world: &World) {
    regions(world);
    let copy = world.file("copy.xlsx", b"");
    // Each file with the number of its rows of headings, and how many rows stand above them.
    for (name, above, rows) in [
        ("1-two-row-heading.xlsx", 2, 2),
        ("1c-one-row-heading.xlsx", 2, 1),
        ("1d-merged-saved-as.csv", 2, 1),
        ("3-monthly-account.xlsx", 1, 1),
        ("4-close-out-list.xlsx", 1, 1),
        ("001-ali.xlsx", 1, 1),
        ("8-wps-gb18030.csv", 1, 1),
        ("9b-three-levels-distinct.xlsx", 1, 1),
    ] {
        let round = ["--round", name, "--region", "990100", "--as-of", "2024-06-30"];
        world.done(&[&["import", &file(name), "--accept"][..], &round].concat());
        let said = world.done(&["export", &copy, "--round", name]);
        assert!(!said.contains("标准表头"), "{name}: {said}");
        let (imported, exported) = (lines(&file(name)), lines(&copy));
        assert_eq!(exported[1..=rows], imported[above..above + rows], "{name}");
        let again = world.done(&[&["import", &copy][..], &round].concat());
        assert!(again.contains("没有变化"), "{name}: {again}");
        world.done(&["export", &copy, "--round", name, "--standard"]);
        assert_eq!(lines(&copy)[1][..2], ["序号", "反馈问题"], "{name}");
    }
    // A sheet for each problem has no row of headings that a ledger could have.
    let name = "2-sheet-per-problem.xlsx";
    world.done(&["import", &file(name), "--accept", "--round", name, "--region", "990100", "--as-of", "2024-06-30"]);
    let said = world.done(&["export", &copy, "--round", name]);
    assert!(said.contains("“2-sheet-per-problem.xlsx”按标准表头导出"), "{said}");
}

fn what_a_file_hides_is_said_and_lists_of_units_are_read(world: &World) {
    regions(world);
    world.done(&["region", "add", "河滩镇", "--code", "990121100", "--parent", "990121"]);
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    let rows = [
        ["序号", "反馈问题", "整改措施", "整改时限", "牵头单位", "督导单位", "责任单位"],
        [
            "1",
            "河道管护不到位",
            "清理河道垃圾",
            "2027年12月31日",
            "市水利局",
            "市委督查室、市政府督查室",
            "各乡镇人民政府",
        ],
        ["2", "扬尘管控不严", "落实喷淋抑尘", "2027年12月31日", "市住房城乡建设局", "市委督查室", "市自然资源局"],
    ];
    for (row, cells) in (0..).zip(rows) {
        for (column, text) in (0..).zip(cells) {
            sheet.write(row, column, text).unwrap();
        }
    }
    sheet.set_row_hidden(2).unwrap();
    sheet.set_column_hidden(5).unwrap();
    book.add_worksheet().set_name("旧稿").unwrap().set_hidden(true);
    let sheet = world.file("隐藏.xlsx", &book.save_to_buffer().unwrap());
    let asked = run(world, &sheet, &["--create-units"]);
    assert_eq!(asked.code, 1, "{}", asked.out);
    assert!(asked.out.contains("“市委督查室、市政府督查室”有几个单位，哪一个督导？"), "{}", asked.out);
    let told = run(world, &sheet, &["--accept"]);
    assert_eq!(told.code, 0, "{}", told.out);
    for said in ["隐藏的第 3 行也已读取", "隐藏的第 F 列也已读取", "隐藏的工作表“旧稿”未导入"]
    {
        assert!(told.out.contains(said), "{said}: {}", told.out);
    }
    let measures = measures(world);
    assert_eq!(each(&measures, "/supervisingUnit/name"), ["市委督查室"; 2]);
    assert_eq!(measures[0]["responsibleParties"]["nodes"][0]["selector"], "ALL_TOWNSHIPS");
}

fn tasks_are_a_level_between_problems_and_measures(world: &World) {
    import(world, "9b-three-levels-distinct.xlsx");
    let measures = measures(world);
    assert_eq!(each(&measures, "/content"), ["制定学习计划", "举办培训班", "出台职责规定", "修订考核办法"]);
    assert_eq!(each(&measures, "/task"), ["强化理念学习", "开展培训", "压实责任", "严格考核"]);
    assert_eq!(each(&measures, "/taskNumber"), ["1", "2", "3", "4"]);
    let copy = world.file("copy.xlsx", b"");
    world.done(&["export", &copy]);
    let again = run(world, &copy, &[]);
    assert!(again.out.contains("没有变化"), "{}", again.out);
}

fn complaint_cases_are_imported_from_their_published_list(world: &World) {
    let said = import(world, "7-complaint-cases.xlsx");
    assert!(said.contains("2 件交办案件，其中新的 2 件") && said.contains("“约谈2人”未导入"), "{said}");
    let query = "{ inspectionCases(first: 5, orderBy: [{field: NUMBER}]) { nodes { number channel isKey state finding
        handedOverOn region { name } leadUnit { name } pollution { kind }
        reports(first: 5) { nodes { step text } } } } }";
    let cases = world.serve().data(query, &json!({}))["inspectionCases"]["nodes"].clone();
    let [call, letter] = cases.as_array().unwrap().as_slice() else { panic!("{cases}") };
    assert_eq!((&call["number"], &call["channel"]), (&json!("D3SX202506230018"), &json!("CALL")));
    assert_eq!((&call["state"], &call["finding"]), (&json!("RESOLVED"), &json!("TRUE")));
    assert_eq!((&call["region"]["name"], &call["handedOverOn"]), (&json!("青坪县"), &json!("2025-06-23")));
    assert_eq!((&letter["isKey"], &letter["state"]), (&json!(true), &json!("PARTLY_RESOLVED")));
    assert_eq!(letter["pollution"], json!([{"kind": "AIR"}, {"kind": "WATER"}]));
    assert_eq!(letter["leadUnit"]["name"], "白河县人民政府");
    let again = run(world, &file("7-complaint-cases.xlsx"), &["--kind", "cases"]);
    assert!(again.out.contains("没有变化"), "{}", again.out);
}

fn lists_of_cases_have_batches_classes_repeats_and_assisting_units(world: &World) {
    regions(world);
    let list = |name: &str, rows: &[&str]| {
        let heading = "受理编号,交办问题基本情况,行政区域,批次,类型,是否重复,重复编号,协办单位,是否办结";
        world.file(name, format!("{heading}\n{}\n", rows.join("\n")).as_bytes())
    };
    // The case that another one repeats may stand below it.
    let file = list(
        "案件.csv",
        &[
            "D3SX202506250003,夜间生产。,青坪县,第二批,立行立改,是,D3SX202506240001,县水利局、市生态环境局,未办结",
            "D3SX202506240001,反映夜间生产。,青坪县,第一批,立行立改,否,,,已办结",
            "D3SX202506250004,反映粪污直排。,白河县,12,长期整改,是,,县水利局,未办结",
            "D3SX202506250005,反映扬尘。,白河县,12,长期整改,,D3SX202506010009,—,未办结",
        ],
    );
    let ran = run(world, &file, &["--create-units"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("4 件交办案件，其中新的 4 件"), "{}", ran.out);
    assert!(ran.out.contains("第 4 行写明是重复件，但没有先前案件的编号"), "{}", ran.out);
    assert!(ran.out.contains("案件 D3SX202506250005 写明与 D3SX202506010009 重复"), "{}", ran.out);
    let query = "{ inspectionCases(first: 9, orderBy: [{field: NUMBER}]) { nodes { batch handling isRepeat
        repeatOf { number } assistingUnits(orderBy: [{field: NAME}]) { nodes { name region { name } } } } } }";
    let cases = world.serve().data(query, &json!({}))["inspectionCases"]["nodes"].clone();
    let of = |name: &str, region: &str| json!({"name": name, "region": {"name": region}});
    let shown = |place: usize| {
        let case = &cases[place];
        json!([case["batch"], case["handling"], case["repeatOf"]["number"], case["assistingUnits"]["nodes"]])
    };
    assert_eq!(shown(0), json!(["第一批", "IMMEDIATE", null, []]));
    // A unit of the county is that of the case's county.
    let units = cases[1]["assistingUnits"]["nodes"].as_array().unwrap();
    assert!(units.contains(&of("县水利局", "青坪县")) && units.contains(&of("市生态环境局", "云溪市")), "{units:?}");
    assert_eq!((&cases[1]["repeatOf"]["number"], &cases[1]["isRepeat"]), (&json!("D3SX202506240001"), &json!(true)));
    assert_eq!(shown(2), json!(["12", "LONG_TERM", null, [of("县水利局", "白河县")]]));
    assert_eq!(shown(3), json!(["12", "LONG_TERM", null, []]));
    assert!(run(world, &file, &[]).out.contains("没有变化"));

    // What is not understood is refused with its cell.
    let wrong = list("错.csv", &["D3SX202506260001,反映扬尘。,白河县,3,很快,,D3SX202506260001,,未办结"]);
    let refused = run(world, &wrong, &["--create-units"]);
    assert!(refused.code == 1 && refused.out.contains("重复件的编号就是本件的编号"), "{}", refused.out);
    let wrong = list("错.csv", &["D3SX202506260001,反映扬尘。,白河县,3,立行立改,,,各县（区）,未办结"]);
    let refused = run(world, &wrong, &["--create-units"]);
    assert!(refused.code == 1 && refused.out.contains("不是单位"), "{}", refused.out);
}

fn a_mapping_file_answers_what_an_import_asks(world: &World) {
    regions(world);
    let mapping = world.file("mapping.toml", b"");
    let asked = run(world, &file("1-two-row-heading.xlsx"), &["--write-mapping", &mapping]);
    assert_eq!(asked.code, 1, "{}", asked.out);
    assert!(asked.out.contains("没有登记过单位“市水利局”，是否新建？"), "{}", asked.out);
    assert_eq!(measures(world), Vec::<Value>::new(), "nothing is written before the answers");
    let text = std::fs::read_to_string(&mapping).unwrap();
    assert!(text.contains("\"完成情况\" = \"status\"") && text.contains("\"市水利局\" = true"), "{text}");
    // A person decides otherwise about one column.
    std::fs::write(&mapping, text.replace("\"备注\" = \"remark\"", "\"备注\" = \"none\"")).unwrap();
    let done = run(world, &file("1-two-row-heading.xlsx"), &["--mapping", &mapping]);
    assert_eq!(done.code, 0, "{}", done.out);
    assert!(done.out.contains("M 列 备注：不读取"), "{}", done.out);
    let measures = measures(world);
    assert_eq!(measures.len(), 6);
    std::fs::write(&mapping, "[columns]\n\"备注\" = \"remarks\"\n").unwrap();
    let wrong = run(world, &file("1-two-row-heading.xlsx"), &["--mapping", &mapping]);
    assert!(wrong.code == 1 && wrong.out.contains("不认识“remarks”"), "{}", wrong.out);
}

fn a_written_mapping_is_accepted_unchanged(world: &World) {
    regions(world);
    let sheet = world.file("各类责任单位.csv", b"");
    let rows = "序号,反馈问题,整改措施,整改时限,牵头单位,责任单位\n1,（一）甲。,1.做甲。,2025年底前,市水利局,\
        市水利局、审计局、各乡镇人民政府\n2,（二）乙。,1.做乙。,2025年底前,市水利局,\
        市农业农村局、财政局，各县（区）委、政府，市直各相关部门\n";
    std::fs::write(&sheet, rows).unwrap();
    let mapping = world.file("mapping.toml", b"");
    let asked = run(world, &sheet, &["--dry-run", "--create-units", "--write-mapping", &mapping]);
    assert_eq!(asked.code, 0, "{}", asked.out);
    let text = std::fs::read_to_string(&mapping).unwrap();
    assert!(text.contains(r#"["市水利局", "市审计局", "各乡镇"]"#), "{text}");
    let done = run(world, &sheet, &["--mapping", &mapping]);
    assert_eq!(done.code, 0, "{}", done.out);
    let selectors: Vec<Vec<Value>> = measures(world)
        .iter()
        .map(|measure| {
            let parties = measure["responsibleParties"]["nodes"].as_array().unwrap();
            parties.iter().map(|party| party["selector"].clone()).filter(|selector| !selector.is_null()).collect()
        })
        .collect();
    assert_eq!(selectors, [vec![json!("ALL_TOWNSHIPS")], vec![json!("ALL_COUNTIES"), json!("ALL_DEPARTMENTS")]]);
}

fn a_sheet_without_a_date_is_read_with_none(world: &World) {
    regions(world);
    let sheet = world.file("没有日期.csv", b"");
    let rows = "序号,反馈问题,整改措施,整改时限,牵头单位,完成情况\n1,（一）甲。,1.做甲。,6月底前,市水利局,已完成\n";
    std::fs::write(&sheet, rows).unwrap();
    let mapping = world.file("mapping.toml", b"");
    let undated = ["import", sheet.as_str(), "--round", "演示轮次", "--region", "990100"];
    let asked = world.run(&[&undated[..], &["--create-units", "--write-mapping", &mapping]].concat());
    assert_eq!(asked.code, 1, "{}", asked.out);
    assert!(asked.out.contains("标题中没有截止日期") && !asked.out.contains("1970"), "{}", asked.out);
    let text = std::fs::read_to_string(&mapping).unwrap();
    assert!(text.contains("\n# as-of = ") && !text.contains("1970"), "{text}");
    let again = world.run(&[&undated[..], &["--accept", "--mapping", &mapping]].concat());
    assert_eq!(again.code, 1, "{}", again.out);
    assert!(again.out.contains("标题中没有截止日期"), "{}", again.out);
    // A person states the date in the file.
    std::fs::write(&mapping, text.replace("# as-of = ", "as-of = ")).unwrap();
    let done = world.run(&[&undated[..], &["--accept", "--mapping", &mapping]].concat());
    assert_eq!(done.code, 0, "{}", done.out);
    assert_eq!(each(&measures(world), "/completedOn"), ["2024-06-30"]);
}

fn what_was_decided_is_remembered_for_the_same_headings(world: &World) {
    regions(world);
    let sheet = world.file("同一表头.csv", b"");
    let rows = "序号,反馈问题,整改措施,整改时限,牵头单位,完成情况\n1,（一）甲。,1.做甲。,2025年底前,市水利局,已完成\n\
        2,（二）乙。,1.做乙。,6月底前,市水利局,未完成\n";
    std::fs::write(&sheet, rows).unwrap();
    let asked = run(world, &sheet, &["--create-units"]);
    assert_eq!(asked.code, 1, "{}", asked.out);
    assert!(asked.out.contains("是每条措施的完成情况，还是整个问题的？"), "{}", asked.out);
    assert!(asked.out.contains("6月底前"), "{}", asked.out);
    let taken = run(world, &sheet, &["--accept"]);
    assert_eq!(taken.code, 0, "{}", taken.out);
    let again = run(world, &sheet, &[]);
    assert_eq!(again.code, 0, "{}", again.out);
    assert!(again.out.contains("上次已确认") && again.out.contains("没有变化"), "{}", again.out);
}

fn one_of_several_lead_units_is_asked_for(world: &World) {
    regions(world);
    let sheet = world.file("两个牵头.csv", b"");
    let rows = "序号,反馈问题,整改措施,整改时限,牵头单位,配合单位\n1,（一）甲。,1.做甲。,2025年底前,\
        市水利局、市农业农村局,市财政局\n";
    std::fs::write(&sheet, rows).unwrap();
    let asked = run(world, &sheet, &["--create-units"]);
    assert!(asked.code == 1 && asked.out.contains("哪一个牵头"), "{}", asked.out);
    let mapping = world.file("mapping.toml", b"");
    std::fs::write(&mapping, "[leads]\n\"市水利局、市农业农村局\" = \"市农业农村局\"\n").unwrap();
    let done = run(world, &sheet, &["--create-units", "--mapping", &mapping]);
    assert_eq!(done.code, 0, "{}", done.out);
    let measures = measures(world);
    assert_eq!(each(&measures, "/leadUnit/name"), ["市农业农村局"]);
    let named: Vec<&str> = measures[0]["responsibleParties"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|party| party["unit"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["市水利局", "市财政局"]);
}

fn texts_that_likely_mean_not_applicable_are_confirmed_together(world: &World) {
    regions(world);
    let sheet = world.file("不涉及.csv", b"");
    let rows = "序号,反馈问题,整改措施,整改时限,牵头单位,整改进展\n1,（一）甲。,1.做甲。,2025年底前,市水利局,\
        我县未涉及此项工作。\n2,（二）乙。,1.做乙。,2025年底前,市水利局,本县无此类企业\n";
    std::fs::write(&sheet, rows).unwrap();
    let mapping = world.file("mapping.toml", b"");
    let kept = run(world, &sheet, &["--create-units", "--write-mapping", &mapping]);
    assert_eq!(kept.code, 0, "they never keep an import from being written: {}", kept.out);
    assert_eq!(each(&measures(world), "/assignments/nodes/0/status"), ["IN_PROGRESS", "IN_PROGRESS"]);
    let again = run(world, &sheet, &[]);
    assert!(again.out.contains("没有变化"), "a proposal that nobody took is not remembered: {}", again.out);
    assert!(!again.out.contains("不涉及”提出：true"), "{}", again.out);
    assert_eq!(each(&measures(world), "/assignments/nodes/0/status"), ["IN_PROGRESS", "IN_PROGRESS"]);
    let text = std::fs::read_to_string(&mapping).unwrap();
    assert!(text.contains("\"我县未涉及此项工作\" = true"), "{text}");
    // Another round of the same office, with the proposals confirmed in the file.
    let other = ["import", sheet.as_str(), "--round", "另一轮次", "--region", "990100", "--as-of", "2024-06-30"];
    let confirmed = world.done(&[&other[..], &["--mapping", &mapping]].concat());
    assert!(confirmed.contains("导入完成"), "{confirmed}");
    let count = "{ assignments(filter: {status: [NOT_APPLICABLE_PROPOSED]}) { totalCount } }";
    assert_eq!(world.serve().data(count, &json!({}))["assignments"]["totalCount"], 2);
}
