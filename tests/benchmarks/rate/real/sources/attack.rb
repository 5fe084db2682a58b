require "json"
require "rack"
require "rack/attack"
require "puma"
require "puma/configuration"
require "puma/launcher"

# Rack::Attack counts in a store like this one: in a window aligned to the epoch, whose keys expire.
class Store
  def initialize
    @counts = Hash.new(0)
    @lock = Mutex.new
  end

  def increment(key, amount, _options = {})
    @lock.synchronize { @counts[key] += amount }
  end

  def read(key, _options = {})
    @lock.synchronize { @counts.key?(key) ? @counts[key] : nil }
  end

  def write(key, value, _options = {})
    @lock.synchronize { @counts[key] = value }
  end

  def delete(key, _options = {})
    @lock.synchronize { @counts.delete(key) }
  end
end

Rack::Attack.cache.store = Store.new
Rack::Attack.throttle("all", limit: 300, period: 5) { |request| request.ip }

case JSON.parse(ARGV[1])["responder"]
when "retry-after"
  Rack::Attack.throttled_response_retry_after_header = true
when "readme"
  Rack::Attack.throttled_responder = lambda do |request|
    match = request.env["rack.attack.match_data"]
    now = match[:epoch_time]
    headers = {
      "RateLimit-Limit" => match[:limit].to_s,
      "RateLimit-Remaining" => "0",
      "RateLimit-Reset" => (now + (match[:period] - (now % match[:period]))).to_s,
    }
    [429, headers, ["Throttled\n"]]
  end
end

backend = lambda do |env|
  path = env["PATH_INFO"]
  sleep(path[%r{\A/(\d+)ms/}, 1].to_i / 1000.0)
  instance = path[%r{/backup_instances/(\d+)/}, 1].to_i
  body = JSON.generate(id: 1007, backup_instance_id: instance, status: "running")
  [200, { "content-type" => "application/json" }, [body]]
end

configuration = Puma::Configuration.new do |config|
  config.bind "tcp://127.0.0.1:#{ARGV[0]}"
  config.threads 64, 64
  config.app Rack::Attack.new(backend)
end
Puma::Launcher.new(configuration).run
