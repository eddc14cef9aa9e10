import Chat
import Interpreter
import Terminal
import TextWidth

/// Values as the prompt shows them.
struct ValueRenderer: Sendable {
  struct Rendered {
    var text: String
    /// What belongs on standard error: that the reply failed, and how.
    var problem: String?
    /// Its lines are laid out for a width already.
    var isTable = false
  }

  /// Rows of a table that are shown unless all are asked for.
  static let firstRows = 20
  static let lastRows = 5

  enum Form: Sendable {
    /// A terminal of this many columns; nil cuts nothing.
    case terminal(width: Int?)
    case pipe
  }

  func render(_ value: Value, form: Form, showsAll: Bool, columns: [String]? = nil, whole: Bool = false) -> Rendered {
    switch value {
    case .reply(let row) where whole: Rendered(text: RowCard(row).text)
    case .list(let elements): Rendered(text: list(elements.values, form, showsAll, columns), isTable: true)
    case .record(let record): Rendered(text: lines(record.fields))
    case .reply(let row):
      Rendered(
        text: row.reply.succeeded ? ControlGuard.clean(row.reply.text) : "",
        problem: row.reply.attempt.finish == .length && row.reply.error == nil
          ? "cut at max-tokens"
          : row.reply.error.map { error in
            let partial = row.reply.succeeded || row.reply.text.isEmpty ? "" : "; `.partial` is what came of it"
            return "\(error.description)\n  = \(error.advice)\(partial)"
          })
    default: Rendered(text: ControlGuard.clean(value.text))
    }
  }

  private func list(_ elements: [Value], _ form: Form, _ showsAll: Bool, _ columns: [String]?) -> String {
    if elements.isEmpty { return "[]" }
    let isReplies = elements.allSatisfy { if case .reply = $0 { true } else { false } }
    let isRecords = elements.allSatisfy { if case .record = $0 { true } else { false } }
    if isReplies || isRecords { return table(elements, isReplies: isReplies, form, showsAll, columns) }
    guard case .terminal(let width) = form else { return elements.map { ControlGuard.line($0.text) }.joined(separator: "\n") }
    let plain = ControlGuard.line(Value.list(elements).text)
    if plain.count <= width ?? .max, elements.count <= 50 { return plain }
    return table(elements.map { .record(Record([("value", $0)])) }, isReplies: false, form, showsAll, nil)
  }

  private func table(_ elements: [Value], isReplies: Bool, _ form: Form, _ showsAll: Bool, _ columns: [String]?) -> String {
    let isCut = !showsAll && elements.count > Self.firstRows + Self.lastRows + 5
    let places = isCut ? Array(0..<Self.firstRows) + Array((elements.count - Self.lastRows)..<elements.count) : Array(elements.indices)
    let table = isReplies ? replies(elements, places) : records(elements, places, columns)
    guard case .terminal(let width) = form else { return table.tabSeparated.joined(separator: "\n") }
    var lines = table.lines(width: width)
    if isCut {
      let (first, last) = (Self.firstRows, elements.count - Self.lastRows - 1)
      let words = "… without rows \(first) to \(last): `show --all` shows every row"
      lines.insert(contentsOf: width.map { Wrap.rows(words, width: $0) } ?? [words], at: 1 + Self.firstRows)
    }
    return lines.joined(separator: "\n")
  }

  private func replies(_ elements: [Value], _ places: [Int]) -> Table {
    var names: [String] = []
    for case .reply(let row) in elements.prefix(100) {
      for column in row.columns where !names.contains(column.name) { names.append(column.name) }
    }
    let models = Set(elements.compactMap { if case .reply(let row) = $0 { row.reply.model } else { nil } })
    var columns = [Table.Column("#", isNumber: true), Table.Column("input")]
    if models.count > 1 { columns.append(Table.Column("model")) }
    columns += names.map { Table.Column($0) }
    columns += [Table.Column("reply"), Table.Column("tokens", isNumber: true), Table.Column("time", isNumber: true)]
    let rows = places.compactMap { place -> [String]? in
      guard case .reply(let row) = elements[place] else { return nil }
      var cells = [String(place), input(row)]
      if models.count > 1 { cells.append(row.reply.model.description) }
      cells += names.map { name in row.columns.last { $0.name == name }?.value.cell ?? "" }
      cells.append(String(reply(row.reply).prefix(2000)))
      cells.append(row.reply.attempt.usage.map { String($0.output) } ?? "")
      cells.append(row.latency?.short ?? "")
      return cells
    }
    return Table(columns: columns, rows: rows)
  }

  /// What came; where that is no answer, why, and where it is a wrong one, what is wrong with it.
  private func reply(_ reply: Reply) -> String {
    if let failure = reply.failure { return "✗ \(failure.description)" }
    guard let wrong = reply.attempt.wrong else { return reply.text }
    return "! \(wrong.kind.rawValue): \(reply.text.isEmpty ? wrong.message : reply.text)"
  }

  private func input(_ row: ReplyRow) -> String {
    switch row.item {
    case .nothing: row.reply.prompt
    case .record(let record): record.fields.map(\.value.cell).joined(separator: " · ")
    default: row.item.text
    }
  }

  private func records(_ elements: [Value], _ places: [Int], _ only: [String]?) -> Table {
    var names: [String] = []
    var seen: Set<String> = []
    for case .record(let record) in elements {
      for field in record.fields where seen.insert(field.name).inserted { names.append(field.name) }
    }
    let omitted = only.map { only in names.filter { !only.contains($0) } } ?? []
    if let only { names = only }
    let columns = names.map { name in
      Table.Column(
        name,
        isNumber: elements.prefix(200).allSatisfy { element in
          guard case .record(let record) = element else { return false }
          switch record[name] {
          case .int, .number, .exact, .duration, .nothing, nil: return true
          default: return false
          }
        })
    }
    let rows = places.compactMap { place -> [String]? in
      guard case .record(let record) = elements[place] else { return nil }
      return [String(place)]
        + names.map { name in record[name].map { if case .nothing = $0 { "" } else { String($0.cell.prefix(2000)) } } ?? "" }
    }
    var table = Table(columns: [Table.Column("#", isNumber: true)] + columns, rows: rows)
    table.omitted = omitted
    return table
  }

  private func lines(_ fields: [(name: String, value: Value)]) -> String {
    let names = fields.map { ControlGuard.line($0.name) }
    let widths = names.map { DisplayWidth.of($0) }
    let width = widths.max() ?? 0
    return fields.indices.map { index in
      names[index] + String(repeating: " ", count: width - widths[index] + 2) + ControlGuard.line(fields[index].value.text)
    }.joined(separator: "\n")
  }
}
