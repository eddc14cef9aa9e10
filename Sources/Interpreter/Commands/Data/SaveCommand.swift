import Formats
import JSON
import Language
import Threads

extension CommandDefinition {
  static let save = CommandDefinition(
    name: "save", group: .data, summary: "writes rows to a file as they come, in order; - is standard output",
    usage: ["rows | save \"file.jsonl\"", "save rows \"file.csv\"", "rows | save -"], arguments: 2...2, takesInput: true,
    flags: [
      FlagDefinition(name: "format", summary: "jsonl, json, csv, tsv, txt or md, where the name does not say it"),
      FlagDefinition(name: "append", summary: "add to the end of the file", isSwitch: true),
    ], showsItself: true, examples: ["map 1..3 \"A fact about {it}.\" | save \"/tmp/promptsh-example.csv\""]
  ) { call in
    // `save rows "file"` or `rows | save "file"`.
    let stream: RowStream
    if case .value(.text(let text)) = call.input {
      stream = try call.stream(of: .list([.text(text)]), at: call.span)
    } else {
      stream = try await call.rows().stream
    }
    let index = call.command.arguments.count - 1
    if case .start = call.input, index == 0 { throw call.error("`save` needs rows and a file: save rows \"file.jsonl\"") }
    let path = try await call.path(index)
    let appends = call.has("append")
    let format = try await call.format(path, fallback: path == "-" ? .jsonl : nil)
    if appends, format == .json {
      throw call.error("a .json file is one document and cannot be added to", at: call.flag("append")?.name.span, help: "use .jsonl")
    }
    let continues = appends && call.world.files.hasContent(path)
    let span = call.command.arguments[index].span
    let file: any FileWriting
    do { file = try await call.world.files.create(path, appending: appends) } catch let problem as FileProblem {
      throw call.error("\(path): \(problem.message)", at: span)
    }
    let rows = Rows(writer: RowWriter(format, appends: continues), file: file)
    func problem(_ error: any Error) -> any Error {
      switch error {
      case let error as FileProblem: call.error("\(path): \(error.message)", at: span)
      case let error as RowWriter.Problem: call.error(error.message, at: span)
      default: error
      }
    }
    do {
      try await stream.forEach(named: call.jobName ?? "save") { try rows.write($0) }
      try rows.close()
      if path != "-" { call.session.kept.note(rows.replies) }
    } catch {
      // Whole rows that were written are kept: half a run is worth having.
      if error is FileProblem { file.discard() } else { try? rows.close() }
      throw problem(error)
    }
    let without = rows.unanswered > 0 ? ", \(rows.unanswered) of them without an answer" : ""
    if path != "-" {
      call.world.output.note("\(RuleTally.rows(rows.count)) written to \(path)\(without)")
    } else if rows.unanswered > 0 {
      call.world.output.note("\(RuleTally.rows(rows.count)) written\(without)")
    }
    return .value(.nothing)
  }
}

/// Rows on their way into a file, in pieces of some size.
private final class Rows: Sendable {
  private struct State {
    var writer: RowWriter
    var pending: [UInt8] = []
    var count = 0
    var unanswered = 0
    var replies = KeptReplies.Rows()
  }

  private let state: Mutex<State>
  private let file: any FileWriting

  init(writer: RowWriter, file: any FileWriting) {
    state = Mutex(State(writer: writer))
    self.file = file
  }

  var count: Int { state.withLock { $0.count } }
  var replies: KeptReplies.Rows { state.withLock { $0.replies } }
  var unanswered: Int { state.withLock { $0.unanswered } }

  func write(_ value: Value) throws {
    let full = try state.withLock { state -> [UInt8]? in
      state.pending += try state.writer.row(state.writer.format.isTable ? value.flat : value.json)
      state.count += 1
      if case .reply(let row) = value { state.replies.add(row) }
      if value.failure != nil { state.unanswered += 1 }
      guard state.pending.count > 64 * 1024 else { return nil }
      defer { state.pending.removeAll(keepingCapacity: true) }
      return state.pending
    }
    if let full { try file.write(full) }
  }

  func close() throws {
    let rest = state.withLock { state in state.pending + state.writer.end() }
    if !rest.isEmpty { try file.write(rest) }
    try file.close()
  }
}
