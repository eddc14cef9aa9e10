import Language

extension CommandDefinition {
  static let gather = CommandDefinition(
    name: "gather", group: .concurrency, summary: "waits for background work and gives its values in the order of the arguments",
    usage: ["gather", "gather a b"], arguments: 0...99,
    examples: ["let a = ask \"Name one river.\" &\nlet b = map 1..3 \"A fact about {it}.\" &\ngather a b", "let c = ask \"Hi\" &\ngather"]
  ) { call in
    if call.command.arguments.isEmpty {
      // Every one is waited for, whatever becomes of the others.
      var first: (any Error)?
      let handles = call.context.children.takeAll()
      for (index, handle) in handles.enumerated() {
        do { _ = try await call.wait(for: handle, at: call.span) } catch is CancellationError {
          // Who gives up waiting may wait again.
          for left in handles[index...] { call.context.children.add(left) }
          throw CancellationError()
        } catch { first = first ?? error }
      }
      if let first { throw first }
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
  /// Waits for a job; from then on its variable holds what it gave.
  func wait(for handle: JobHandle, at span: Span, bringsBack: Bool = false) async throws -> Value {
    let result = try await context.result(of: handle, at: span, bringsBack: bringsBack)
    if let variable = handle.variable, case .job(let held)? = context.scope.lookup(variable), held === handle {
      context.scope.set(variable, result)
    }
    return result
  }
}
