import Language

extension CommandDefinition {
  static let vars = CommandDefinition(
    name: "vars", group: .session, summary: "lists the variables", usage: ["vars"], showsItself: true, examples: ["let a = 1\nvars"]
  ) { call in
    let rows = call.session.globals.own.filter { $0.name != "_" }.map { name, value -> Value in
      let size = value.elements.map { "\($0.count) elements" } ?? ""
      return .record(
        Record([
          ("name", .text(name)), ("kind", .text(value.kind.replacing("a ", with: ""))),
          ("value", .text(size.isEmpty ? value.preview : size)),
        ]))
    }
    do { try call.world.output.show(.list(rows), options: ShowOptions()) } catch { throw call.error("\(error)") }
    return .value(.nothing)
  }

  static let history = CommandDefinition(
    name: "history", group: .session, summary: "the lines typed before", usage: ["history", "history 20"], takesWords: true,
    showsItself: true, examples: ["history 5"]
  ) { call in
    let lines = call.world.system.history()
    var count = 50
    if let word = call.command.words.first {
      guard case .int(let given) = try await call.context.value(word), given > 0 else {
        throw call.error("`history` takes a whole number from 1", at: word.span)
      }
      count = given
    }
    for line in lines.suffix(count) { try call.world.output.print(line, raw: false) }
    return .value(.nothing)
  }

  static let off = CommandDefinition(
    name: "off", group: .session, summary: "ends a callback that `on` began", usage: ["off end"], takesWords: true, showsItself: true,
    examples: ["on end { log \"done\" }\noff end"]
  ) { call in
    guard case .word(let event)? = call.command.words.first?.node else {
      throw call.error("`off` needs the name of an event", help: CallbackHub.events.joined(separator: ", "))
    }
    guard CallbackHub.events.contains(event) else {
      throw call.error(
        "there is no event `\(event)`", at: call.command.words[0].span, help: Suggestion.help(for: event, among: CallbackHub.events))
    }
    await call.session.callbacks.drain()
    if !call.session.callbacks.remove(event) { call.world.output.note("`on \(event)` was not set") }
    return .value(.nothing)
  }

  static let exit = CommandDefinition(
    name: "exit", group: .session, summary: "ends the session, with an exit status if one is given", usage: ["exit", "exit 1"],
    takesWords: true, showsItself: true
  ) { call in
    guard let word = call.command.words.first else { throw ExitRequest(status: nil) }
    guard case .int(let status) = try await call.context.value(word), (0...255).contains(status) else {
      throw call.error("`exit` takes a status from 0 to 255", at: word.span)
    }
    throw ExitRequest(status: Int32(status))
  }

  static let system = CommandDefinition(
    name: "!", group: .session, summary: "runs a command of the system's shell", usage: ["!ls -l"], arguments: 1...1, showsItself: true
  ) { call in
    let words = try await call.text(0, "a command")
    do throws(FileProblem) {
      let status = try await call.world.system.run(words)
      if status != 0 { call.world.output.note("exit status \(status)") }
    } catch { throw call.error(error.message) }
    return .value(.nothing)
  }
}

/// `exit` was called.
public struct ExitRequest: Error {
  /// Nil where the session's own status stands.
  public var status: Int32?
}
