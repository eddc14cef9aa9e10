import Formats
import JSON
import Language
import Names

extension CommandDefinition {
  static let save = CommandDefinition(
    name: "save", group: .data, summary: "writes rows to a file as they come, in order; - is standard output",
    usage: ["rows | save \"file.jsonl\"", "save rows \"file.csv\"", "rows | save -"], arguments: 2...2, takesInput: true,
    flags: [
      FlagDefinition(
        name: "format", summary: "jsonl, json, csv, tsv, txt or md, where the name does not say it", accepts: FileFormat.accepted),
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
    let target = SaveTarget(
      path: path, format: try await call.format(path, fallback: path == "-" ? .jsonl : nil), appends: call.has("append"),
      span: call.command.arguments[index].span)
    let (writer, file) = try await call.open(target)
    let sink = RowSink(writer, file)
    var notTaken: [Value] = []
    do {
      // A file may be loaded and tried again; whoever reads a pipe is not told of what was never sent.
      let hasAll = try await stream.forEach(named: call.jobName ?? "save", keepsUnsent: path != "-", left: { notTaken = $0 }) {
        try await sink.write($0)
      }
      // Rows that a time limit, `cancel`, a brake or a signal ended have come, and their run is not whole.
      let isMade = stream.asksModels || call.context.paid?.rows.isEmpty == false
      let reason = await call.reasonToKeepTheOld(sink, target, isWhole: hasAll && !(isMade && sink.isCutShort))
      try await call.close(sink, reason == nil ? .whole : .unfinished, target, reason)
      if path != "-" { call.session.kept.note(sink.replies) }
    } catch {
      var problem = error
      // Whole rows that were written are kept: half a run is worth having.
      if !sink.isClosed { do { try await call.close(sink, .unfinished, target) } catch { problem = error } }
      // Whoever stops reading has what he wanted.
      if path != "-" || !sink.isReaderGone {
        call.keep(sink.left + notTaken, problem, target, areMade: stream.asksModels)
      }
      throw call.located(problem, target)
    }
    return .value(.nothing)
  }
}

/// What `save` writes to.
private struct SaveTarget {
  var path: String
  var format: FileFormat
  var appends: Bool
  var span: Span

  /// As messages name it.
  var shown: String { path == "-" ? "standard output" : path.oneLine }
}

extension Invocation {
  /// Opens the file before anything is sent: what cannot be written is told now.
  fileprivate func open(_ target: SaveTarget) async throws -> (RowWriter, any FileWriting) {
    if target.appends, target.format == .json {
      throw error("a .json file is one document and cannot be added to", at: flag("append")?.name.span, help: "use .jsonl")
    }
    do {
      let file = try await world.files.create(target.path, appending: target.appends)
      guard target.appends, let last = world.files.ending(target.path, 1).last else { return (RowWriter(target.format), file) }
      do throws(FileProblem) {
        try LastRow.check(target.path, target.format, world.files)
        let columns = try TableOnFile.columns(target.path, target.format, world.files)
        // A file that does not end in a line end: the next row begins a line of its own.
        if last != 0x0A { try file.write([0x0A]) }
        let writer =
          columns.isEmpty ? RowWriter(target.format, isBehindText: true) : RowWriter(target.format, continuing: columns)
        return (writer, file)
      } catch {
        _ = try file.close(.unfinished)
        throw error
      }
    } catch { throw located(error, target) }
  }

  fileprivate func located(_ problem: any Error, _ target: SaveTarget) -> any Error {
    switch problem {
    case let problem as FileProblem: error("\(target.shown): \(problem.message)", at: target.span, help: problem.help)
    case let problem as RowWriter.Problem: error("\(target.shown): \(problem.message)", at: target.span)
    default: problem
    }
  }

  /// What the file did not take was paid for, and stays in hand.
  ///
  /// - Parameter areMade: whether the statement has asked for them, so that no variable has them.
  fileprivate func keep(_ rows: [Value], _ problem: any Error, _ target: SaveTarget, areMade: Bool) {
    let paid = context.paid
    guard !rows.isEmpty, areMade || paid?.rows.isEmpty == false else { return }
    // Told of here, with the file's name.
    paid?.set([])
    context.inHand?.hold(.list(rows))
    context.keepPaid(rows, jobName, located(problem, target), which: "that \(target.shown) does not hold")
  }

  /// Why what was written may not take the place of an older file; nil where it may.
  fileprivate func reasonToKeepTheOld(_ sink: RowSink, _ target: SaveTarget, isWhole: Bool) async -> String? {
    if session.wasInterrupted { return "the script was interrupted" }
    if !isWhole || session.isEnding { return Self.isCut }
    guard !target.appends, target.path != "-" else { return nil }
    let tally = sink.tally
    if tally.unanswered > 0 { return await rows(in: target).answered > tally.answered ? "it has more answers" : nil }
    // Of an outage no row may have come this far (`where not failed`, `summarize`). In a script a variable may have been made of them.
    guard context.paid?.hasFailures == true || !session.isAttended && session.unanswered.count > 0 else { return nil }
    return await rows(in: target).standing > tally.answered ? "it has more rows, and prompts of this run have no answer" : nil
  }

  /// To the file itself, where the name that was given is a link to it.
  private static func mv(_ partial: String, _ target: SaveTarget) -> String {
    let file = partial.hasSuffix(".partial") ? String(partial.dropLast(".partial".count)) : target.path
    return "!mv \(partial.shellWord) \(file.shellWord)"
  }

  private static let isCut = "the run is not whole"

  /// The rows in the file that `save` wrote there before: those that are no reply that failed, and of them those with an answer (of what
  /// is no reply, those that hold a value in every field).
  private func rows(in target: SaveTarget) async -> (standing: Int, answered: Int) {
    guard let file = try? world.files.open(target.path), file.isPlainFile else { return (0, 0) }
    let source = FileSource(file, reader: target.format.reader(), format: target.format) { _ in FileProblem("unreadable") }
    var count = (standing: 0, answered: 0)
    while let row = try? await source.next() {
      if row.isAnswered { count.answered += 1 }
      if row.failure == nil { count.standing += 1 }
    }
    return count
  }

  fileprivate func close(_ sink: RowSink, _ ending: FileEnding, _ target: SaveTarget, _ reason: String? = nil) async throws {
    let outcome = await sink.close(ending)
    let rows = RuleTally.rows(outcome.count)
    let without = outcome.unanswered > 0 ? ", \(outcome.unanswered) of them without an answer" : ""
    if case .beside(let path, let hasCome)? = outcome.place {
      let place = path.oneLine
      session.noteKeptBeside()
      let unfinished = session.wasInterrupted ? "the script was interrupted" : Self.isCut
      let reason = reason ?? (hasCome && ending == .whole ? "it has come meanwhile" : unfinished)
      world.output.note(
        "\(rows) written to \(place)\(without): \(target.shown) is as it was, for \(reason)\n  = `\(Self.mv(path, target))` puts them in its place"
      )
    } else if outcome.place == .nowhere {
      world.output.note("no row came, and nothing is written to \(target.shown)")
    } else if target.path != "-" {
      // Where the end went wrong the problem says where they are.
      if outcome.hasClosed { world.output.note("\(rows) written to \(target.shown)\(without)") }
    } else if outcome.unanswered > 0 {
      world.output.note("\(rows) written\(without)")
    }
    if let problem = outcome.problem { throw located(problem, target) }
  }
}

extension Value {
  /// Whether a row of a file has what it is for, as far as that can be seen.
  fileprivate var isAnswered: Bool {
    switch self {
    case .reply(let row): row.reply.succeeded
    case .record(let record): record.fields.allSatisfy(\.value.isAnswered)
    case .nothing: false
    case .text(let text): !text.isEmpty
    default: true
    }
  }
}
