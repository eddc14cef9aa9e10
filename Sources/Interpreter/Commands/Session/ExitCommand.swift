import Language

extension CommandDefinition {
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
}

/// `exit` was called.
public struct ExitRequest: Error {
  /// Nil where the session's own status stands.
  public var status: Int32?
}
