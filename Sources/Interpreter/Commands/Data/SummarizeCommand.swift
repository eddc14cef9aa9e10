import Language

extension CommandDefinition {
  static let summarize = CommandDefinition(
    name: "summarize", group: .data,
    summary: "aggregates over rows, or over each group of `group`: count sum mean median min max p50 p95 p99 stdev",
    usage: ["rows | summarize mean(latency) p95(latency)", "rows | group model | summarize mean(correct) sum(tokens)"], arguments: 2...99,
    takesInput: true,
    takesRowExpressions: true, onlyReads: true, examples: ["map 1..4 \"A fact about {it}.\" | summarize mean(tokens) max(tokens) count()"]
  ) { call in
    let (values, rest) = try await call.values()
    let aggregates = try rest.map { try call.aggregate($0) }
    var groups: [(keys: Record, rows: [Value])] = []
    for value in values {
      guard case .record(var record) = value, case .list(let rows)? = record["rows"] else {
        groups = []
        break
      }
      record["rows"] = nil
      record["count"] = nil
      groups.append((record, rows.values))
    }
    let isGrouped = !groups.isEmpty
    let context = call.context(for: isGrouped ? groups.flatMap(\.rows) : values)
    if !isGrouped { groups = [(Record(), values)] }
    var results: [Value] = []
    for (keys, rows) in groups {
      var record = keys
      let group = keys.fields.map(\.value.text).joined(separator: " ")
      for aggregate in aggregates { record[aggregate.name] = try await call.apply(aggregate, rows, group: group, context) }
      results.append(.record(record))
    }
    for aggregate in aggregates { try aggregate.tally.finish(aggregate, call.context) }
    return .value(isGrouped ? .list(results) : results[0])
  }
}
