/// A host that serves models: where it is, in which environment variables its address and key are looked for. A new one is a
/// row in `known`, not code.
public struct Provider: Sendable, Equatable {
  /// What stands before the slash of a model's name.
  public var id: String
  /// Up to and including the version, without a slash at the end.
  public var baseURL: String
  /// The environment variable that holds its key; nil for none.
  public var keyVariable: String?
  /// The environment variable that overrides `baseURL`; nil for none.
  public var addressVariable: String?
  /// A model to start with.
  public var exampleModel: String?

  public init(
    id: String, baseURL: String, keyVariable: String? = nil, addressVariable: String? = nil, exampleModel: String? = nil
  ) {
    self.id = id
    self.baseURL = baseURL
    self.keyVariable = keyVariable
    self.addressVariable = addressVariable
    self.exampleModel = exampleModel
  }

  /// All speak OpenAI's chat completions.
  public static let known: [Provider] = [
    Provider(
      id: "openai", baseURL: "https://api.openai.com/v1", keyVariable: "OPENAI_API_KEY", addressVariable: "OPENAI_BASE_URL",
      exampleModel: "gpt-4o-mini"),
    Provider(
      id: "openrouter", baseURL: "https://openrouter.ai/api/v1", keyVariable: "OPENROUTER_API_KEY",
      exampleModel: "meta-llama/llama-3.1-8b-instruct"),
    Provider(id: "groq", baseURL: "https://api.groq.com/openai/v1", keyVariable: "GROQ_API_KEY", exampleModel: "llama-3.1-8b-instant"),
    Provider(id: "mistral", baseURL: "https://api.mistral.ai/v1", keyVariable: "MISTRAL_API_KEY", exampleModel: "mistral-small-latest"),
    Provider(id: "deepseek", baseURL: "https://api.deepseek.com/v1", keyVariable: "DEEPSEEK_API_KEY", exampleModel: "deepseek-chat"),
    Provider(id: "together", baseURL: "https://api.together.xyz/v1", keyVariable: "TOGETHER_API_KEY"),
    Provider(id: "ollama", baseURL: "http://127.0.0.1:11434/v1", addressVariable: "OLLAMA_BASE_URL", exampleModel: "llama3.2"),
    Provider(id: "lmstudio", baseURL: "http://127.0.0.1:1234/v1"),
    Provider(id: "llamacpp", baseURL: "http://127.0.0.1:8080/v1"),
    Provider(id: "vllm", baseURL: "http://127.0.0.1:8000/v1"),
  ]
}
