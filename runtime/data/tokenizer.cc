/* runtime/data/tokenizer.cc - the C face of libsentencepiece: see tokenizer_shim.h
 *
 * Source  Kudo and Richardson 2018, "SentencePiece", arXiv:1808.06226; the trainer's options are
 *         those found in Llama 2's tokenizer.model
 */
#include "runtime/data/tokenizer_shim.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

namespace spm = sentencepiece;

struct shim {
    spm::SentencePieceProcessor processor;
};

namespace
{
bool say(char *why, const char *text)
{
    std::snprintf(why, SHIM_WHY_BYTES, "%s", text);
    return false;
}

/* Run f, which gives a spm::util::Status; no exception gets out. */
template <typename F> bool guarded(char *why, F f)
{
    try {
        const spm::util::Status status = f();
        return status.ok() || say(why, status.error_message());
    } catch (const std::bad_alloc &) {
        return say(why, "memory is exhausted");
    } catch (const std::exception &e) {
        return say(why, e.what());
    }
}

spm::util::Status no_memory()
{
    return spm::util::Status(spm::util::StatusCode::kResourceExhausted, "memory is exhausted");
}

void *copy(const void *data, size_t bytes) /* with a NUL behind it */
{
    char *p = static_cast<char *>(std::calloc(bytes + 1, 1));
    if (p != nullptr && bytes > 0) std::memcpy(p, data, bytes);
    return p;
}

class Sentences : public spm::SentenceIterator
{
  public:
    Sentences(const shim_text *all, size_t count) : all_(all), count_(count) { load(); }
    bool done() const override { return i_ >= count_; }
    void Next() override { i_++, load(); }
    const std::string &value() const override { return value_; }
    spm::util::Status status() const override { return spm::util::Status(); }

  private:
    void load()
    {
        if (i_ < count_) value_.assign(all_[i_].text, all_[i_].bytes);
    }
    const shim_text *all_;
    size_t count_, i_ = 0;
    std::string value_;
};

} // namespace

bool shim_train(const shim_text *sentences, size_t count, int vocabulary, void **model,
                size_t *bytes, char why[SHIM_WHY_BYTES])
{
    return guarded(why, [&] {
        /* unk_surface is " \u2047 " by default; num_threads stands in the model */
        std::unordered_map<std::string, std::string> options = {
            {"vocab_size", std::to_string(vocabulary)},
            {"max_sentence_length", std::to_string(SHIM_SENTENCE_BYTES)}};
        for (const std::string o :
             {"model_type=bpe", "normalization_rule_name=identity", "add_dummy_prefix=true",
              "remove_extra_whitespaces=false", "split_digits=true", "byte_fallback=true",
              "allow_whitespace_only_pieces=true", "character_coverage=0.99995", "unk_id=0",
              "bos_id=1", "eos_id=2", "pad_id=-1", "hard_vocab_limit=true", "num_threads=1",
              "minloglevel=2"})
            options[o.substr(0, o.find('='))] = o.substr(o.find('=') + 1);
        Sentences iterator(sentences, count);
        std::string proto;
        spm::util::Status status = spm::SentencePieceTrainer::Train(options, &iterator, &proto);
        if (!status.ok()) return status;
        *bytes = proto.size();
        *model = copy(proto.data(), proto.size());
        return *model == nullptr ? no_memory() : status;
    });
}

bool shim_load(const void *model, size_t bytes, shim **out, char why[SHIM_WHY_BYTES])
{
    *out = new (std::nothrow) shim;
    if (*out == nullptr) return say(why, "memory is exhausted");
    const absl::string_view proto(static_cast<const char *>(model), bytes);
    if (guarded(why, [&] { return (*out)->processor.LoadFromSerializedProto(proto); })) return true;
    shim_destroy(*out);
    *out = nullptr;
    return false;
}

void shim_destroy(shim *s) { delete s; }

void shim_facts(const shim *s, int *pieces, int *unk, int *bos, int *eos)
{
    *pieces = s->processor.GetPieceSize();
    *unk = s->processor.unk_id();
    *bos = s->processor.bos_id();
    *eos = s->processor.eos_id();
}

bool shim_encode(const shim *s, const char *text, size_t bytes, int32_t **out, size_t *count,
                 char why[SHIM_WHY_BYTES])
{
    return guarded(why, [&] {
        std::vector<int> ids;
        spm::util::Status status = s->processor.Encode(absl::string_view(text, bytes), &ids);
        if (!status.ok()) return status;
        *count = ids.size();
        *out = static_cast<int32_t *>(copy(ids.data(), ids.size() * sizeof(int32_t)));
        return *out == nullptr ? no_memory() : status;
    });
}

bool shim_decode(const shim *s, const int32_t *tokens, size_t count, char **out,
                 char why[SHIM_WHY_BYTES])
{
    return guarded(why, [&] {
        std::string text;
        spm::util::Status status =
            s->processor.Decode(std::vector<int>(tokens, tokens + count), &text);
        if (!status.ok()) return status;
        *out = static_cast<char *>(copy(text.data(), text.size()));
        return *out == nullptr ? no_memory() : status;
    });
}
