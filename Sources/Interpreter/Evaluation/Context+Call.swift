import Chat
import Language

extension Context {
  /// Deeper recursion is an error. Frames of async functions live on the heap, so this bounds memory, not the stack.
  static let maximumNesting = 200

  /// The context of a call of `name` made here, through whatever stands between: rows, blocks, holes, values of parameters.
  func calling(_ name: String, at span: Span) throws -> Context {
    guard nesting < Self.maximumNesting else {
      throw error("`\(name)` calls itself more than \(Self.maximumNesting) deep", at: span, help: "a recursion needs an end")
    }
    var inner = self
    inner.nesting += 1
    return inner
  }

  /// `f(x, name = y)`
  func call(_ callee: Expression, _ arguments: [CallArgument], at span: Span) async throws -> Value {
    guard case .name(let name) = callee.node else {
      let value = try await value(callee)
      return try await call(value, arguments, at: span, calleeSpan: callee.span)
    }
    // A field may have a function's name (`text`): what cannot be called does not hide what can.
    if let value = scope.lookup(name), value.isCallable || Functions.named(name) == nil {
      return try await call(value, arguments, at: span, calleeSpan: callee.span)
    }
    guard let function = Functions.named(name) else {
      var diagnostic = error(
        "there is no function `\(name)`", at: callee.span, help: Suggestion.help(for: name, among: Functions.names + scope.names))
      if diagnostic.help == nil { diagnostic.help = "`help functions` lists them" }
      throw diagnostic
    }
    var values: [Value] = []
    for argument in arguments {
      if let label = argument.name { throw error("`\(name)` has no named parameter `\(label)`", at: argument.value.span) }
      values.append(try await value(argument.value))
    }
    guard function.accepts.contains(values.count) else {
      throw error("`\(name)` takes \(function.arity), not \(values.count)", at: span, help: function.usage)
    }
    // A function of the user's that asks for failures deals with them.
    if depth > 0, ["get", "failed", "errors"].contains(name), let first = values.first { settle(first) }
    if function.leavesNothingOut, let elements = values.first?.elements {
      let missing = elements.count { $0.isNothing || $0.failure != nil }
      if missing > 0 { tell("\(name): \(missing) of \(elements.count) left out: \(missing == 1 ? "it is" : "they are") nothing") }
    }
    // A built-in function is given the session, for `env` and the like.
    return try located(span, on: values) { () throws(OperationError) in try function.run(values, session) }
  }

  /// A function has looked at what became of a reply.
  func settle(_ value: Value) {
    guard depth > 0 else { return }
    for reply in value.failedReplies { session.unanswered.settle(reply) }
  }

  private func call(_ value: Value, _ arguments: [CallArgument], at span: Span, calleeSpan: Span) async throws -> Value {
    var positional: [Value] = []
    var named: [(Name, Value)] = []
    for argument in arguments {
      let evaluated = try await self.value(argument.value)
      if let label = argument.name {
        named.append((Name(text: label, span: argument.value.span), evaluated))
      } else {
        positional.append(evaluated)
      }
    }
    return try await invoke(value, positional, named, at: span, calleeSpan: calleeSpan)
  }

  /// Calls a function of the user's; a prompt called like one gives its text.
  func invoke(_ value: Value, _ positional: [Value], _ named: [(Name, Value)], at span: Span, calleeSpan: Span) async throws -> Value {
    switch value {
    case .function(let function):
      let scope = Scope(parent: launch?.frozen(function.scope) ?? function.scope)
      try await bind(
        function.definition.parameters, of: function.name, positional, named, in: scope, at: span,
        definition: (function.scope, function.source))
      let value = try await run(function, in: scope, at: span)
      inHand?.hold(value, in: self.scope)
      return value
    case .prompt(let prompt):
      let messages = try await messages(of: prompt, positional, named, at: span)
      return .text(messages.map(\.text).joined(separator: "\n\n"))
    default: throw error("\(value.kind) cannot be called: \(value.preview)", at: calleeSpan, help: "`xs[0]` takes an element")
    }
  }

  private func run(_ function: FunctionValue, in scope: Scope, at span: Span) async throws -> Value {
    var inner = try calling(function.name, at: span)
    inner.scope = scope
    inner.source = function.source
    inner.depth = depth + 1
    inner.children = Children()
    inner.invariants = nil
    inner.showsValues = false
    let running = session.underWay.enter(function, scope)
    var isKept = false
    var given = Value.nothing
    defer { if !isKept, session.underWay.leave(running) { scope.end(giving: given) } }
    let completion: Completion
    do {
      completion = try await inner.run(function.definition.body)
    } catch let signal as ReturnSignal {
      completion = .returned(signal.value)
    } catch {
      isKept = endsScript(error)
      if error is CancellationError { await inner.endChildren() } else { inner.cancelChildren() }
      throw error
    }
    // What was started with `&` in a function ends before the function does.
    try await inner.gatherChildren()
    if case .returned(var value) = completion {
      // A job that is returned is waited for: its work belonged to the function.
      if case .job(let handle) = value { value = try await result(of: handle, at: span) }
      // A failure that it hands out is one, whatever it looked at.
      if depth == 0 { for reply in value.failedReplies { session.unanswered.add(reply, isFinal: true) } }
      given = value
      return value
    }
    return .nothing
  }

  /// Gives parameters their values: by position, by name, by default.
  func bind(
    _ parameters: [Parameter], of name: String, _ positional: [Value], _ named: [(Name, Value)], in scope: Scope, at span: Span,
    definition: (scope: Scope, source: Source)
  ) async throws {
    let signature = "\(name)(\(parameters.map(\.name.text).joined(separator: ", ")))"
    if positional.count > parameters.count {
      throw error(
        "`\(name)` takes \(parameters.count == 1 ? "one argument" : "\(parameters.count) arguments"), not \(positional.count)", at: span,
        help: "it is \(signature)")
    }
    for (parameter, value) in zip(parameters, positional) { scope.set(parameter.name.text, value) }
    for (label, value) in named {
      guard let index = parameters.firstIndex(where: { $0.name.text == label.text }) else {
        throw error(
          "`\(name)` has no parameter `\(label.text)`", at: label.span,
          help: Suggestion.help(for: label.text, among: parameters.map(\.name.text)))
      }
      if index < positional.count { throw error("`\(label.text)` is given twice", at: label.span) }
      scope.set(label.text, value)
    }
    let given = Set(named.map(\.0.text)).union(parameters.prefix(positional.count).map(\.name.text))
    for parameter in parameters where !given.contains(parameter.name.text) {
      guard let fallback = parameter.fallback else {
        throw error("`\(name)` needs a value for `\(parameter.name.text)`", at: span, help: "it is \(signature)")
      }
      var context = try calling(name, at: span)
      context.scope = scope
      context.source = definition.source
      scope.set(parameter.name.text, try await context.value(fallback))
    }
  }
}
