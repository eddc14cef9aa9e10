import Language

extension Invocation {
  func block() throws -> Block {
    guard let last = command.arguments.last, case .block(let block) = last.node else {
      throw error(
        "`\(definition.name)` needs a block { … }", at: command.arguments.last?.span ?? command.name.span, help: definition.usage[0])
    }
    return block
  }

  /// The branches of `together` and `race`: one a statement, each without the slot and job of a row around.
  func branches() throws -> [Statement] {
    let statements = try block().statements
    if statements.isEmpty { throw error("the block is empty") }
    return statements
  }

  /// The value of a block; a `return` in it goes on to the function around.
  func passingOn(_ completion: Completion) throws -> Value {
    if case .returned(let value) = completion { throw ReturnSignal(value: value) }
    return completion.value
  }
}

/// `return` within the block of a command, on its way to its function.
struct ReturnSignal: Error {
  var value: Value
}
