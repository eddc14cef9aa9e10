import Language

extension Session {
  /// Whether a program only steers: it acts on what runs or looks at it, sends nothing, waits for nothing and binds nothing. Such a
  /// line may run beside what runs in the foreground, and from another place than the prompt.
  public func steers(_ program: Program) -> Bool {
    let statements = program.block.statements
    return !statements.isEmpty
      && statements.allSatisfy { statement in
        guard case .pipeline(let pipeline) = statement.node, !statement.isBackground else { return false }
        return steers(pipeline)
      }
  }

  private func steers(_ pipeline: Pipeline) -> Bool {
    pipeline.stages.enumerated().allSatisfy { index, stage in
      guard case .command(let command) = stage, let definition = CommandRegistry.named(command.name.text) else { return false }
      switch definition.steers {
      case .never: return false
      case .always:
        // What shows itself live (`jobs --watch`) takes the screen, and waits.
        return index == 0 && command.flags.allSatisfy { $0.name.text == "in-order" } && command.arguments.allSatisfy(isJobName)
      case .liveSettings: return index == 0 && steers(setting: command.words)
      case .behind:
        return index > 0 && command.arguments.allSatisfy(isQuick) && command.flags.allSatisfy { $0.value.map(isQuick) ?? true }
      }
    }
  }

  /// Whether an argument may be a job's name or number, which is not waited for.
  private func isJobName(_ expression: Expression) -> Bool {
    switch expression.node {
    case .name, .job: true
    default: false
    }
  }

  private func steers(setting words: [SettingValue]) -> Bool {
    guard let first = words.first else { return true }
    guard case .word(let name) = first.node, let setting = SettingDefinition.named(name) else { return false }
    var isForJob = false
    if words.count >= 4, case .word("for") = words[words.count - 2].node { isForJob = true }
    return (setting.isLive || isForJob || words.count == 1) && words.dropFirst().allSatisfy(isQuick)
  }

  private func isQuick(_ value: SettingValue) -> Bool {
    switch value.node {
    case .word: true
    case .list(let values): values.allSatisfy(isQuick)
    case .expression(let expression): isQuick(expression)
    }
  }

  /// Whether an expression neither sends nor waits: no commands in it, nothing of the user's that could hold some, no job.
  private func isQuick(_ expression: Expression) -> Bool {
    switch expression.node {
    case .nothing, .bool, .int, .number, .duration: true
    case .pipeline, .block, .job: false
    case .name(let name):
      switch globals.lookup(name) {
      case .job, .function, .prompt: false
      default: true
      }
    case .text(let pieces): pieces.allSatisfy { if case .hole(let inner) = $0 { isQuick(inner) } else { true } }
    case .list(let elements): elements.allSatisfy(isQuick)
    case .record(let members): members.allSatisfy { isQuick($0.value) }
    case .field(let base, _), .unary(_, let base): isQuick(base)
    case .index(let left, let right), .binary(_, let left, let right), .range(let left, let right): isQuick(left) && isQuick(right)
    case .call(let callee, let arguments): isQuick(callee) && arguments.allSatisfy { isQuick($0.value) }
    }
  }
}
