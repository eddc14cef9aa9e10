import Chat
import Interpreter
import Terminal

/// One row with all there is to it: the turns as they were sent, the settings, its item, what came back, and what that took.
struct RowCard {
  private let row: ReplyRow

  init(_ row: ReplyRow) { self.row = row }

  var text: String {
    var sections = ["── row \(row.index) · \(ControlGuard.line(row.reply.model.description))"]
    let facts = item + settings
    if !facts.isEmpty { sections.append(facts.joined(separator: "\n")) }
    for turn in row.reply.messages { sections.append(section(turn.role.rawValue, turn.text)) }
    if !row.reply.attempt.reasoning.isEmpty { sections.append(section("reasoning", row.reply.attempt.reasoning)) }
    if row.reply.succeeded || !row.reply.text.isEmpty {
      sections.append(section(row.reply.succeeded ? "reply" : "what came of a reply", row.reply.text))
    }
    if let error = row.reply.error {
      sections.append(section("error", "\(error.description)\n  = \(error.advice)"))
    }
    sections.append("── \(tries)")
    return sections.joined(separator: "\n")
  }

  private func section(_ title: String, _ text: String) -> String { "── \(title)\n\(ControlGuard.clean(text))" }

  /// What the prompt was made for, and what came with it from a sweep or from `add`.
  private var item: [String] {
    var lines: [String] = []
    switch row.item {
    case .nothing: break
    case .record(let record): lines = record.fields.map { line("input.\($0.name)", $0.value) }
    default: lines = [line("input", row.item)]
    }
    return lines + row.columns.map { line($0.name, $0.value) }
  }

  private var settings: [String] {
    guard case .record(let record)? = row.field("settings") else { return [] }
    return record.fields.map { line($0.name, $0.value) }
  }

  private func line(_ name: String, _ value: Value) -> String { "\(ControlGuard.line(name)): \(ControlGuard.line(value.text))" }

  private var tries: String {
    let reply = row.reply
    var parts = [reply.attempts == 1 ? "1 try" : "\(reply.attempts) tries"]
    if reply.hedged { parts.append("hedged") }
    if row.latency != nil || reply.queued > .zero { parts.append("queued \(reply.queued.short)") }
    if reply.waited > .zero { parts.append("waited \(reply.waited.short)") }
    if let first = reply.attempt.ttft { parts.append("first token \(first.short)") }
    if row.latency != nil { parts.append("\(reply.attempt.latency.short) in all") }
    if let usage = reply.attempt.usage { parts.append("\(usage.input) + \(usage.output) tokens") }
    if let finish = reply.attempt.finish { parts.append("finish \(ControlGuard.line(finish.text))") }
    return parts.joined(separator: " · ")
  }
}
