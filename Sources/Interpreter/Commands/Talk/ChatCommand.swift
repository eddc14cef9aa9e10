import Chat
import Language
import Threads

extension CommandDefinition {
  static let chat = CommandDefinition(
    name: "chat", group: .talk, summary: "goes on with a conversation",
    usage: ["chat \"what you say\"", "chat", "chat new", "chat \"…\" --in name"], arguments: 0...1,
    flags: [
      FlagDefinition(name: "in", summary: "the conversation's name; the unnamed one is the default"),
      FlagDefinition(name: "from", summary: "start from a conversation that is a value (a list of turns): a fork"),
      FlagDefinition(name: "quiet", summary: "do not show the reply as it arrives", isSwitch: true),
    ], takesRequestFlags: true, showsItself: true,
    examples: [
      "chat \"My name is Ada.\"\nchat \"What is my name?\"\nlet turns = chat --quiet\nprint len(turns)", "chat \"Hello.\" --in second",
    ]
  ) { call in
    let name = try await call.flagValue("in")?.text ?? ""
    if let start = try await call.flagValue("from") { call.session.conversations.set(name, try call.turns(start)) }
    guard let argument = call.command.arguments.first else {
      let turns = call.session.conversations.turns(name)
      let value = Value.list(turns.map(\.value))
      if !call.has("quiet"), call.flag("from") == nil {
        for turn in turns { try await call.world.output.print("\(turn.role.rawValue): \(turn.text)", raw: false) }
      }
      return .value(value)
    }
    if case .name("new") = argument.node {
      call.session.conversations.set(name, [])
      return .value(.nothing)
    }
    let context = try await call.callContext()
    let said = try await call.text(0, "what you say")
    let turns = call.session.conversations.turns(name) + [Message(.user, said)]
    let row: ReplyRow
    if call.has("quiet") {
      row = await JobScope.single(call, context) { context in ReplyRow(await context.call(turns).reply, index: 0, item: .nothing) }
    } else {
      row = try await call.streamed(turns, context)
    }
    // A turn that got no answer is taken back, so that it can be said again.
    // So is an empty one: a turn without words cannot be sent.
    if row.reply.succeeded, !row.reply.text.isEmpty { call.session.conversations.set(name, turns + [Message(.assistant, row.reply.text)]) }
    return .value(.reply(row))
  }
}

extension Invocation {
  fileprivate func turns(_ value: Value) throws -> [Message] {
    guard let elements = value.elements else { throw error("a conversation is a list of turns, not \(value.kind): \(value.preview)") }
    return try elements.map { element in
      guard let role = element.field("role")?.asText.flatMap(Message.Role.init), let text = element.turnText else {
        throw error(
          "a turn is {role: \"user\", text: \"…\"} (or `content`), not \(element.preview)", help: "roles are system, user, assistant")
      }
      return Message(role, text)
    }
  }
}

/// The session's conversations, by name.
final class Conversations: Sendable {
  private let all = Mutex<[String: [Message]]>([:])

  func turns(_ name: String) -> [Message] { all.withLock { $0[name] ?? [] } }
  func set(_ name: String, _ turns: [Message]) { all.withLock { $0[name] = turns } }

  /// Those with an answer in them, by name.
  var answered: [(name: String, turns: [Message])] {
    all.withLock { $0 }.filter { $0.value.contains { $0.role == .assistant } }.map { ($0.key, $0.value) }.sorted { $0.name < $1.name }
  }
}
