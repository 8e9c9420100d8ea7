"""Operations on arrays, tensors and symbolic arrays, of which programs are made."""
