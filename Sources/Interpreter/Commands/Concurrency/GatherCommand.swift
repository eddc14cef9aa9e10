import Language

extension CommandDefinition {
  static let gather = CommandDefinition(
    name: "gather", group: .concurrency, summary: "waits for background work and gives its values in the order of the arguments",
    usage: ["gather", "gather a b"], arguments: 0...99,
    examples: ["let a = ask \"Name one river.\" &\nlet b = map 1..3 \"A fact about {it}.\" &\ngather a b", "let c = ask \"Hi\" &\ngather"]
  ) { call in
    if call.command.arguments.isEmpty {
      try await call.context.gatherChildren()
      return .value(.nothing)
    }
    var handles: [(JobHandle?, Value)] = []
    for argument in call.command.arguments {
      let value = try await call.context.raw(argument)
      if case .job(let handle) = value { handles.append((handle, value)) } else { handles.append((nil, value)) }
    }
    var values: [Value] = []
    for (index, (handle, value)) in handles.enumerated() {
      guard let handle else {
        values.append(value)
        continue
      }
      let result = try await call.wait(for: handle, at: call.command.arguments[index].span)
      values.append(result)
    }
    return .value(values.count == 1 ? values[0] : .list(values))
  }
}

extension Invocation {
  /// Waits in the foreground; from then on the job's variable holds what the job gave.
  func wait(for handle: JobHandle, at span: Span) async throws -> Value {
    if !handle.job.isOver {
      session.beginForeground(handle)
      world.output.foreground(handle.job, showsProgress: true)
    }
    defer {
      session.endForeground(handle)
      world.output.foregroundEnded(handle.job)
    }
    let result = try await context.result(of: handle, at: span)
    if let variable = handle.variable, case .job(let held)? = context.scope.lookup(variable), held === handle {
      context.scope.set(variable, result)
    }
    return result
  }
}
